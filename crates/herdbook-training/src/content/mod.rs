//! Bars by their content: the closes that runs and evaluations keep, and whether other bars are the same ones.

pub(crate) mod comparison;
pub(crate) mod instrument;
pub(crate) mod lineage;
pub(crate) mod search;
pub(crate) mod spans;
pub(crate) mod stored_closes;
pub(crate) mod tested;
pub(crate) mod trials;
pub(crate) mod tries;
