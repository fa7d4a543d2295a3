//! How MLflow's REST API reads requests and writes answers.

pub(crate) mod answer;
pub(crate) mod check;
pub(crate) mod failure;
pub(crate) mod json;
pub(crate) mod message;
pub(crate) mod page;
pub(crate) mod request;
