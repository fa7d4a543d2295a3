//! The event log: every act writes events, each sealed by a hash over itself and the hash before it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::closed_set::closed_set;
use crate::{Actor, ModelName, RunId, Timestamp, VersionNumber};

closed_set! {
    /// What happened.
    EventKind, "event kind" {
        /// A training began.
        RunStarted = "run_started",
        /// A training ended without registering a model; `to` is the run's status.
        RunEnded = "run_ended",
        /// A training that had ended went on from its last checkpoint; `from` is the run's status before.
        RunResumed = "run_resumed",
        /// A model was registered, in development.
        Registered = "registered",
        /// A model gained its first registered child: `latest` to `old`.
        Superseded = "superseded",
        /// A version that was registered outside herdbook enters the history in the stage its tag names.
        Adopted = "adopted",
        /// A version changed its stage.
        StageChanged = "stage_changed",
        /// A version was run over bars later than all it knew; `details` has the [`crate::Evaluation`].
        Evaluated = "evaluated",
        /// The doctor mended what others had broken; `details` has the kind of breach.
        Repaired = "repaired",
    }
}

closed_set! {
    /// The door an act came through.
    Channel, "channel" {
        /// The command line.
        Cli = "cli",
        /// The Python package.
        Python = "python",
        /// The HTTP server.
        Http = "http",
    }
}

/// `previous_hash` of the first event.
pub const GENESIS_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// What an act says of itself, before the log gives it a place.
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
    /// Why, in the words of who asked, or of the rule.
    pub reason: Option<String>,
    /// The parent's run.
    pub parent: Option<RunId>,
    /// JSON object with its own version in `v`.
    pub details: String,
}

impl EventDraft {
    /// A draft of which only the kind and the details are known.
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

/// Who acts, through which door, and what ties the events of one act together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActContext {
    /// Identity of the act: all its events carry it.
    pub act_id: String,
    /// Who.
    pub actor: Actor,
    /// Through which door.
    pub channel: Channel,
}

/// One sealed event. The fields are hashed in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Place in the log: 1, 2, 3 … without gap.
    pub id: i64,
    /// Identity of the act.
    pub act_id: String,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// Through which door.
    pub channel: Channel,
    /// What.
    #[serde(flatten)]
    pub what: EventDraft,
    /// Hash of the event before, or [`GENESIS_HASH`].
    pub previous_hash: String,
    /// See [`Event::compute_hash`].
    pub hash: String,
}

impl Event {
    /// Gives a draft its place after the event with `previous_hash`.
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

    /// Lower-case hex SHA-256 over the JSON array of all other fields, the time in milliseconds.
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

/// Lower-case hex SHA-256 of some bytes.
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
