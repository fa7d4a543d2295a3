//! Events: every act writes at least one. Each is sealed by a hash over its fields and the hash of the event before it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::values::closed_set::closed_set;
use crate::values::{Actor, ModelName, RunId, Timestamp, VersionNumber};

closed_set! {
    /// The kind of change that an event records.
    EventKind, "event kind" {
        /// A training started.
        RunStarted = "run_started",
        /// A training ended without registering a model; `to` is the run's status.
        RunEnded = "run_ended",
        /// An ended training was resumed from its last checkpoint; `from` is the run's status before.
        RunResumed = "run_resumed",
        /// A model version was registered, in development.
        Registered = "registered",
        /// A version got its first registered child: `latest` to `old`.
        Superseded = "superseded",
        /// A version that was registered outside herdbook got a history; `to` is the stage of its tag.
        Adopted = "adopted",
        /// A version changed its stage.
        StageChanged = "stage_changed",
        /// A version was evaluated on later bars; `details` is an `Evaluation`.
        Evaluated = "evaluated",
        /// The doctor repaired a breach; `details` has its kind.
        Repaired = "repaired",
        /// The store was moved or copied, and its artifact locations were updated; `details` has the folders.
        Relocated = "relocated",
        /// A history that differs from the one last seen on this machine was accepted; `details` has both ends.
        HistoryAccepted = "history_accepted",
        /// A version was deleted through the server, as MLflow deletes: its row stays, without its run; `from` is its stage.
        VersionDeleted = "version_deleted",
        /// A registered model got another name through the server; `name` and `to` are the new name, `from` the old one.
        ModelRenamed = "model_renamed",
    }
}

closed_set! {
    /// The interface through which an act was requested.
    Channel, "channel" {
        /// The command line.
        Cli = "cli",
        /// The Python package.
        Python = "python",
        /// The HTTP server.
        Http = "http",
        /// A client of MLflow, through the server.
        MlflowApi = "mlflow-api",
    }
}

/// `previous_hash` of the first event.
pub const GENESIS_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// An event before it gets its place in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventDraft {
    /// What happened.
    pub kind: EventKind,
    /// The registered model.
    pub name: Option<ModelName>,
    /// The version.
    pub version: Option<VersionNumber>,
    /// The run.
    pub run_id: Option<RunId>,
    /// Stage, version type or status before.
    pub from: Option<String>,
    /// Stage, version type or status after.
    pub to: Option<String>,
    /// The reason, as given by the user or by the rule.
    pub reason: Option<String>,
    /// The parent's run.
    pub parent: Option<RunId>,
    /// JSON object with the version of its format in `v`.
    pub details: String,
}

impl EventDraft {
    /// A draft with a kind and details, and no other field.
    pub fn new(kind: EventKind, details: &serde_json::Value) -> Self {
        Self {
            kind,
            name: None,
            version: None,
            run_id: None,
            from: None,
            to: None,
            reason: None,
            parent: None,
            details: details.to_string(),
        }
    }
}

/// The actor and channel of an act, and the identity that all its events carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActContext {
    /// Identity of the act.
    pub act_id: String,
    /// The user or program that acts.
    pub actor: Actor,
    /// The interface it uses.
    pub channel: Channel,
}

/// A sealed event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Position in the log: 1, 2, 3 … without gaps.
    pub id: i64,
    /// Identity of the act.
    pub act_id: String,
    /// When the act happened.
    pub at: Timestamp,
    /// The user or program that acted.
    pub actor: String,
    /// The interface it used.
    pub channel: Channel,
    /// What happened.
    #[serde(flatten)]
    pub what: EventDraft,
    /// Hash of the event before, or [`GENESIS_HASH`] for the first.
    pub previous_hash: String,
    /// Hash of this event; see [`Event::compute_hash`].
    pub hash: String,
}

impl Event {
    /// Seals a draft as the event after the one with the hash `previous_hash`.
    pub fn seal(
        id: i64,
        at: Timestamp,
        context: &ActContext,
        what: EventDraft,
        previous_hash: &str,
    ) -> Self {
        let mut event = Self {
            id,
            act_id: context.act_id.clone(),
            at,
            actor: context.actor.to_string(),
            channel: context.channel,
            what,
            previous_hash: previous_hash.to_owned(),
            hash: String::new(),
        };
        event.hash = event.compute_hash();
        event
    }

    /// Lower-case hex SHA-256 over the JSON array of all other fields, in the order of declaration, with the time in
    /// milliseconds since the epoch.
    pub fn compute_hash(&self) -> String {
        let what = &self.what;
        let fields = serde_json::json!([
            self.id,
            self.act_id,
            self.at.millis(),
            self.actor,
            self.channel,
            what.kind,
            what.name,
            what.version,
            what.run_id,
            what.from,
            what.to,
            what.reason,
            what.parent,
            what.details,
            self.previous_hash,
        ]);
        hex_sha256(fields.to_string().as_bytes())
    }
}

/// Lower-case hex SHA-256 of `bytes`.
pub fn hex_sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        hex.extend(
            [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])),
        );
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Event {
        let context = ActContext {
            act_id: "9b2f0c1de4a84f6f8a4b7d3c5e6f7081".to_owned(),
            actor: Actor::parse("ada").unwrap(),
            channel: Channel::Cli,
        };
        let what = EventDraft {
            name: Some(ModelName::parse("1H_trading_model").unwrap()),
            version: VersionNumber::new(3),
            run_id: Some(RunId::parse("0123456789abcdef0123456789abcdef").unwrap()),
            from: Some("development".to_owned()),
            to: Some("beta".to_owned()),
            reason: Some("passes \"initial\" validation".to_owned()),
            ..EventDraft::new(EventKind::StageChanged, &serde_json::json!({"v": 1}))
        };
        Event::seal(7, Timestamp::EXAMPLE, &context, what, GENESIS_HASH)
    }

    #[test]
    fn hash_of_the_frozen_sample_never_changes() {
        // Made with Python's hashlib from the documented form; a change breaks every store in use.
        insta::assert_snapshot!(sample().hash, @"c021abdb4378830a365c3db7d9a407a37d42fc6889c88f494ea7e642d2cc583a");
    }

    #[test]
    fn exported_event_reads_back() {
        let line = serde_json::to_string(&sample()).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), sample());
    }

    #[test]
    fn every_field_is_under_the_hash() {
        let sealed = sample();
        let changes: [fn(&mut Event); 9] = [
            |event| event.id += 1,
            |event| event.at = Timestamp::from_millis(0),
            |event| event.actor.push('x'),
            |event| event.channel = Channel::Http,
            |event| event.what.kind = EventKind::Adopted,
            |event| event.what.to = None,
            |event| event.what.reason = None,
            |event| event.what.details.push(' '),
            |event| event.previous_hash.replace_range(0..1, "1"),
        ];
        for change in changes {
            let mut event = sealed.clone();
            change(&mut event);
            assert_ne!(event.compute_hash(), sealed.hash);
        }
    }
}
