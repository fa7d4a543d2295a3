//! The verdicts on conditions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The verdicts on all conditions for one rise.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct Judgement {
    /// Whether a rise with unmet conditions is refused; otherwise they only warn.
    pub(crate) enforce: bool,
    pub(crate) verdicts: Vec<ConditionVerdict>,
}

/// The verdict on one condition.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct ConditionVerdict {
    /// The condition, in words.
    pub(crate) condition: String,
    /// The value found, in the unit of the condition.
    pub(crate) value: Option<f64>,
    pub(crate) limit: Option<f64>,
    /// `met`, `not_met` or `missing`, which counts as not met.
    pub(crate) verdict: String,
    pub(crate) note: Option<String>,
}

impl From<&herdbook_domain::Judgement> for Judgement {
    fn from(judgement: &herdbook_domain::Judgement) -> Self {
        let verdicts = judgement.verdicts.iter().map(|verdict| ConditionVerdict {
            condition: verdict.condition.clone(),
            value: verdict.value,
            limit: verdict.limit,
            verdict: verdict.verdict.to_string(),
            note: verdict.note.clone(),
        });
        Self { enforce: judgement.enforce, verdicts: verdicts.collect() }
    }
}
