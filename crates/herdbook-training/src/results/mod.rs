//! Results of a training: metrics, baselines, improvement over the parent, statistical evidence, details, pictures, pages, reports.

pub(crate) mod baselines;
pub(crate) mod details;
pub(crate) mod evidence;
pub(crate) mod figures;
pub(crate) mod improvement;
pub(crate) mod measure;
pub(crate) mod npy;
pub(crate) mod page;
pub(crate) mod pictures;
pub(crate) mod report;
