//! An event, as `herdbook history --json` prints it.

use herdbook_domain::{Event, VersionNumber, overrides_of};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// An event of the history.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct HistoryEvent {
    pub(crate) id: i64,
    /// The id that all events of one act have.
    pub(crate) act_id: String,
    pub(crate) at: String,
    pub(crate) actor: String,
    pub(crate) channel: String,
    pub(crate) kind: String,
    pub(crate) name: Option<String>,
    pub(crate) version: Option<u32>,
    pub(crate) run_id: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
    pub(crate) reason: Option<String>,
    /// The run of the parent.
    pub(crate) parent: Option<String>,
    /// What else the event records. `v` is the version of its format.
    #[schema(value_type = Object)]
    pub(crate) details: Value,
    /// Each rule that a forced change overrode, with value and limit.
    pub(crate) overridden: Vec<String>,
    pub(crate) hash: String,
}

impl From<&Event> for HistoryEvent {
    fn from(event: &Event) -> Self {
        let what = &event.what;
        Self {
            id: event.id,
            act_id: event.act_id.clone(),
            at: event.at.to_string(),
            actor: event.actor.clone(),
            channel: event.channel.to_string(),
            kind: what.kind.to_string(),
            name: what.name.as_ref().map(ToString::to_string),
            version: what.version.map(VersionNumber::get),
            run_id: what.run_id.as_ref().map(ToString::to_string),
            from: what.from.clone(),
            to: what.to.clone(),
            reason: what.reason.clone(),
            parent: what.parent.as_ref().map(ToString::to_string),
            details: serde_json::from_str(&what.details).unwrap_or(Value::Null),
            overridden: overrides_of(event),
            hash: event.hash.clone(),
        }
    }
}
