//! Registered models: finding, loading and running them, and registering models that were trained elsewhere.

pub(crate) mod artifact_paths;
pub(crate) mod backtest;
pub(crate) mod bars_check;
pub(crate) mod evaluate;
pub(crate) mod find;
pub(crate) mod follower;
pub(crate) mod holding;
pub(crate) mod import_model;
pub(crate) mod joining;
pub(crate) mod later_returns;
pub(crate) mod mlflow_files;
pub(crate) mod parent;
pub(crate) mod predict;
pub(crate) mod register_run;
pub(crate) mod registered_model;
pub(crate) mod relatives;
pub(crate) mod unregistered_run;
