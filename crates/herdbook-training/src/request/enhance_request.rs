//! What a training asks of its parent.

use herdbook_domain::{Enhancement, MetricName, ModelType, ParentSelector};
use serde::{Deserialize, Serialize};

/// What a training asks of its parent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnhanceRequest {
    /// How the parent is named.
    pub selector: ParentSelector,
    /// The type looked for by `latest` and `best`.
    pub model_type: ModelType,
    /// The metric of `best`.
    pub metric: MetricName,
    /// The way of enhancing.
    pub enhancement: Enhancement,
}
