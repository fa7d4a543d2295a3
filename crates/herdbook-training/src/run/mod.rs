//! A single training, from a prepared request to a registered version.

pub(crate) mod checkpoint;
pub(crate) mod enhancement;
pub(crate) mod heartbeat;
pub(crate) mod metric_log;
pub(crate) mod params;
pub(crate) mod plan;
pub(crate) mod retry;
pub(crate) mod train;
pub(crate) mod training_loop;
mod training_metrics;
