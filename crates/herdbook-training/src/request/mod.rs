//! What a user asks for, read and checked without the records.

pub(crate) mod conditions;
pub(crate) mod hyperparameters;
pub(crate) mod schedules;
pub(crate) mod train_request;
