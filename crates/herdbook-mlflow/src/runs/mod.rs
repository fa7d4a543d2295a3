//! Runs: read, searched, created and changed.

mod batch;
mod create;
mod info;
mod inputs;
mod logged_model_tag;
mod order;
pub(crate) mod random_name;
mod record;
mod search;
mod update;
mod writable;

pub use batch::{Batch, MetricValue, delete_tag, log_batch, log_metric, log_param, set_tag};
pub use create::{NewRun, create};
pub use info::{RunInfo, RunStatus};
pub use inputs::{InputDataset, ModelOutput, log_inputs, log_outputs};
pub use logged_model_tag::log_model;
pub(crate) use record::latest_from_row;
pub use record::{DatasetUse, Latest, Run, get};
pub use search::{RunSearch, search};
pub use update::{RunUpdate, delete, restore, update};
