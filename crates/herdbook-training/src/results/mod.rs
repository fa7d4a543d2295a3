//! What is measured of a policy, and how it is shown.

pub(crate) mod baselines;
pub(crate) mod evidence;
pub(crate) mod improvement;
pub(crate) mod measure;
pub(crate) mod npy;
pub(crate) mod pictures;
pub(crate) mod report;
