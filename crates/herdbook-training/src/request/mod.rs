//! What a user asks for, read and checked without the records.

pub(crate) mod conditions;
pub(crate) mod enhance_request;
pub(crate) mod hyperparameters;
pub(crate) mod membership;
pub(crate) mod schedules;
pub(crate) mod toml_file;
pub(crate) mod train_request;
