//! A version, as `herdbook list --json` prints it.

use std::collections::BTreeMap;

use herdbook_domain::tags::key;
use herdbook_store::VersionRecord;
use serde::Serialize;
use utoipa::ToSchema;

/// A model version.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ModelVersion {
    /// The registered model.
    pub(crate) name: String,
    /// The number of the version.
    pub(crate) version: u32,
    pub(crate) run_id: Option<String>,
    pub(crate) timeframe: Option<String>,
    pub(crate) symbol: Option<String>,
    pub(crate) model_type: Option<String>,
    pub(crate) version_type: Option<String>,
    pub(crate) promotion_stage: Option<String>,
    /// `clean`, `contaminated` or `unknown`.
    pub(crate) honesty: Option<String>,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
    /// The values on which rules decide, by name: sealed ones, or without a seal the last ones of the run.
    pub(crate) metrics: BTreeMap<String, f64>,
    /// When and how the facts were sealed; null if they are not.
    pub(crate) sealed: Option<Sealing>,
}

/// When and how the facts of a version were sealed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Sealing {
    /// The number of the event that holds the seal.
    event: i64,
    origin: String,
    at: String,
}

impl From<&VersionRecord> for ModelVersion {
    fn from(record: &VersionRecord) -> Self {
        let mut tags = record.tags_by_seal();
        Self {
            name: record.key.name.to_string(),
            version: record.key.version.get(),
            run_id: record.run_id.as_ref().map(ToString::to_string),
            timeframe: tags.remove(key::TIMEFRAME),
            symbol: record.symbol().map(ToString::to_string),
            model_type: tags.remove(key::MODEL_TYPE),
            version_type: tags.remove(key::VERSION_TYPE),
            promotion_stage: tags.remove(key::PROMOTION_STAGE),
            honesty: tags.remove(key::HONESTY),
            created_at: record.created_at.to_string(),
            updated_at: record.updated_at.to_string(),
            metrics: record.finite_metrics(),
            sealed: record.sealed.as_ref().map(|sealed| Sealing {
                event: sealed.event_id,
                origin: sealed.origin.to_string(),
                at: sealed.at.to_string(),
            }),
        }
    }
}
