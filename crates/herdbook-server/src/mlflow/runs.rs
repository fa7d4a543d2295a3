//! Runs.

use crate::mlflow::endpoint::Endpoint;

pub(crate) static ENDPOINTS: &[Endpoint] = &[];
