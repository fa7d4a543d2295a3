//! Metrics of runs.

use crate::mlflow::endpoint::Endpoint;

pub(crate) static ENDPOINTS: &[Endpoint] = &[];
