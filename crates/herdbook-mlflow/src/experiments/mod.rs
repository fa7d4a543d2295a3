//! Experiments.

mod record;

pub use record::{Experiment, get, locate_default};
pub(crate) use record::{parse_id, require_active};
