//! Experiments: read, searched, created and changed.

mod change;
mod datasets;
mod location;
mod record;
mod search;

pub(crate) use change::require_active;
pub use change::{
    NewExperiment, create, delete, delete_tag, locate_default, rename, restore, set_tag,
};
pub use datasets::{DatasetSummary, datasets};
pub use record::{Experiment, get, get_by_name};
pub(crate) use record::{find, no_experiment, parse_given_id, parse_id};
pub use search::{ExperimentSearch, search};
