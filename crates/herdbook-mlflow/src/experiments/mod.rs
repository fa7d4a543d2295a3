//! Experiments.

mod record;

pub use record::{Experiment, get, locate_default};
