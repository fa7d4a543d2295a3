//! Requests of users: parsed and checked as far as possible without the store.

pub(crate) mod conditions;
pub(crate) mod enhance_request;
pub(crate) mod hyperparameters;
pub(crate) mod membership;
pub(crate) mod schedules;
pub(crate) mod settings;
pub(crate) mod toml_file;
pub(crate) mod train_request;
