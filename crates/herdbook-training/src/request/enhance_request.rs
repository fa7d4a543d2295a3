//! The part of a training request that selects the parent.

use herdbook_domain::{Enhancement, MetricName, ModelType, ParentSelector};
use serde::{Deserialize, Serialize};

/// How to choose the parent and how to enhance it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EnhanceRequest {
    /// Selects the parent.
    pub selector: ParentSelector,
    /// Type of parent that `latest` and `best` look for.
    pub model_type: ModelType,
    /// Metric that `best` compares.
    pub metric: MetricName,
    /// Kind of enhancement.
    pub enhancement: Enhancement,
}

impl EnhanceRequest {
    /// Whether the learning rate and the entropy bonus are controlled during the training.
    pub(crate) fn is_adaptive(&self) -> bool {
        self.enhancement == Enhancement::Adaptive
    }
}
