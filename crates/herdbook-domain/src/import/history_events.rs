//! The events for the log that record the history of an imported version, each marked as imported.

use serde_json::{Value, json};

use crate::history::{EventDraft, EventKind};
use crate::tags::key;
use crate::values::{Reason, RunId, Stage, Timestamp, VersionType};

use super::candidate::Candidate;
use super::steps::{HistoryStep, is_within_a_minute};

/// An event with the time it happened in the source.
pub(super) type DatedEvent = (Timestamp, EventDraft);

/// The reasons of the steps of a version.
pub(super) struct ToldReasons {
    /// Whether a step has the reason in `demotion_reason`.
    pub(super) demotion: bool,
    /// The reason of each step.
    reasons: Vec<Option<String>>,
}

impl Candidate<'_> {
    /// The events of the registration and of every step after it, oldest first.
    pub(super) fn events(&self, label: &str) -> Vec<DatedEvent> {
        let registered_at = self.source.created_at.min(self.now);
        let mut events = vec![(registered_at, self.registered(label))];
        let reasons = self.reasons();
        for (step, reason) in self.steps.iter().zip(reasons) {
            events.push(self.step(step, reason, label));
        }
        events
    }

    /// The event of its first registered child; `None` without one.
    pub(super) fn superseded(&self, label: &str) -> Option<DatedEvent> {
        let at = self.first_child_at?.max(self.source.created_at).min(self.now);
        let draft = self.draft(
            EventKind::Superseded,
            &json!({"v": 1, "imported": self.import_mark(label, at)}),
        );
        Some((
            at,
            EventDraft {
                from: Some(VersionType::Latest.to_string()),
                to: Some(VersionType::Old.to_string()),
                ..draft
            },
        ))
    }

    fn registered(&self, label: &str) -> EventDraft {
        let origin = self.parsed.origin();
        let total = self.parsed.steps(key::TOTAL_TIMESTEPS);
        let previous = self.parsed.steps(key::PREVIOUS_TIMESTEPS).unwrap_or(0);
        let file = self.source.model_file.as_ref();
        let details = json!({
            "v": 1,
            "model_type": origin.as_ref().map(crate::lineage::Origin::model_type),
            "timeframe": origin.as_ref().map(|origin| origin.timeframe),
            "trained_timesteps": total.map(|total| total.saturating_sub(previous)),
            "honesty": self.honesty(),
            "model_file": file.map(|file| &file.artifact),
            "model_sha256": file.and_then(|file| file.sha256.as_ref()),
            "imported": self.import_mark(label, self.source.created_at),
        });
        EventDraft {
            to: Some(Stage::Development.to_string()),
            parent: self.parsed.parent.clone(),
            ..self.draft(EventKind::Registered, &details)
        }
    }

    fn step(&self, step: &HistoryStep, reason: Option<String>, label: &str) -> DatedEvent {
        let (kind, at, from, to, tag) = match step {
            HistoryStep::Recorded(one) => {
                (EventKind::StageChanged, one.at, one.from, one.to, Some(one.tag.as_str()))
            }
            HistoryStep::ByImport { at, from, to, .. } => {
                (EventKind::StageChanged, *at, *from, *to, None)
            }
            HistoryStep::Unrecorded { at, from, to } => (EventKind::Adopted, *at, *from, *to, None),
        };
        let mut imported = self.import_mark(label, at);
        if let Some(tag) = tag {
            imported["tag"] = Value::from(tag);
        }
        let details = match kind {
            EventKind::StageChanged => {
                json!({"v": 1, "cause": "imported", "forced": false, "imported": imported})
            }
            _ => json!({"v": 1, "imported": imported}),
        };
        let draft = EventDraft {
            from: Some(from.to_string()),
            to: Some(to.to_string()),
            reason,
            ..self.draft(kind, &details)
        };
        (at.min(self.now), draft)
    }

    /// The reason of each step. Tags hold only the reasons of the newest promotion and the newest demotion.
    fn reasons(&self) -> Vec<Option<String>> {
        self.told().reasons
    }

    /// Assigns the reasons in the tags to the steps: that of the demotion to the one at `demotion_timestamp`, else to the
    /// newest demotion, and that of the promotion to the newest promotion.
    pub(super) fn told(&self) -> ToldReasons {
        let tag = |key: &str| self.parsed.tags.get(key).and_then(|text| as_reason(text));
        let is_at_its_time = |step: &HistoryStep| {
            self.parsed.demoted_at.is_none_or(|at| is_within_a_minute(at, step.at()))
        };
        let mut steps = self.steps.iter();
        let demotion =
            steps.clone().rposition(|step| step.may_be_demotion() && is_at_its_time(step));
        let promotion = steps.rposition(|step| {
            step.is_told() && step.is_demotion() == Some(false) && !step.may_be_demotion()
        });
        let mut reasons: Vec<Option<String>> =
            self.steps.iter().map(HistoryStep::own_reason).collect();
        for (idx, key) in [(demotion, key::DEMOTION_REASON), (promotion, key::PROMOTION_REASON)] {
            if let Some(idx) = idx {
                reasons[idx] = tag(key);
            }
        }
        ToldReasons { demotion: demotion.is_some(), reasons }
    }

    fn draft(&self, kind: EventKind, details: &Value) -> EventDraft {
        let key = self.key();
        EventDraft {
            name: Some(key.name),
            version: Some(key.version),
            run_id: self.run_id().cloned(),
            ..EventDraft::new(kind, details)
        }
    }

    /// Details that mark an event as imported: the source, the version's number there, and the time there.
    fn import_mark(&self, label: &str, at: Timestamp) -> Value {
        json!({"from": label, "version": self.source.key.version, "at": at})
    }
}

/// The event for a version of the target that gets its first child by an import.
pub(super) fn superseded_in_target(
    key: &crate::values::VersionKey,
    run_id: &RunId,
    at: Timestamp,
    label: &str,
) -> DatedEvent {
    let details = json!({"v": 1, "imported": {"from": label, "at": at}});
    let draft = EventDraft {
        name: Some(key.name.clone()),
        version: Some(key.version),
        run_id: Some(run_id.clone()),
        from: Some(VersionType::Latest.to_string()),
        to: Some(VersionType::Old.to_string()),
        ..EventDraft::new(EventKind::Superseded, &details)
    };
    (at, draft)
}

/// A text of the source as a valid reason: in one line, cut to its maximal length; `None` for an empty text.
fn as_reason(text: &str) -> Option<String> {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let short: String = line.trim().chars().take(2_000).collect();
    Reason::parse(&short).ok().map(|reason| reason.to_string())
}
