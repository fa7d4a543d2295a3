//! What the log says of an imported version: its past, each event marked as imported.

use serde_json::{Value, json};

use crate::tags::key;
use crate::{EventDraft, EventKind, Reason, RunId, Stage, Timestamp, VersionType};

use super::member::Member;
use super::past::Step;

/// An event and when it happened in the source.
pub(super) type Dated = (Timestamp, EventDraft);

impl Member<'_> {
    /// Registration and every step after it, oldest first.
    pub(super) fn events(&self, label: &str) -> Vec<Dated> {
        let registered_at = self.source.created_at.min(self.now);
        let mut events = vec![(registered_at, self.registered(label))];
        let reasons = self.reasons();
        for (step, reason) in self.steps.iter().zip(reasons) {
            events.push(self.step(step, reason, label));
        }
        events
    }

    /// It gained its first registered child.
    pub(super) fn superseded(&self, label: &str) -> Option<Dated> {
        let at = self.first_child_at?.max(self.source.created_at).min(self.now);
        let draft = self
            .draft(EventKind::Superseded, &json!({"v": 1, "imported": self.origin_of(label, at)}));
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
        let origin = self.told.origin();
        let total = self.told.steps(key::TOTAL_TIMESTEPS);
        let previous = self.told.steps(key::PREVIOUS_TIMESTEPS).unwrap_or(0);
        let file = self.source.model_file.as_ref();
        let details = json!({
            "v": 1,
            "model_type": origin.as_ref().map(crate::Origin::model_type),
            "timeframe": origin.as_ref().map(|origin| origin.timeframe),
            "trained_timesteps": total.map(|total| total.saturating_sub(previous)),
            "honesty": self.honesty(),
            "model_file": file.map(|file| &file.artifact),
            "model_sha256": file.and_then(|file| file.sha256.as_ref()),
            "imported": self.origin_of(label, self.source.created_at),
        });
        EventDraft {
            to: Some(Stage::Development.to_string()),
            parent: self.told.parent.clone(),
            ..self.draft(EventKind::Registered, &details)
        }
    }

    fn step(&self, step: &Step, reason: Option<String>, label: &str) -> Dated {
        let (kind, at, from, to, tag) = match step {
            Step::Changed(one) => {
                (EventKind::StageChanged, one.at, one.from, one.to, Some(one.tag.as_str()))
            }
            Step::Settled { at, from, to, .. } => (EventKind::StageChanged, *at, *from, *to, None),
            Step::Arrived { at, from, to } => (EventKind::Adopted, *at, *from, *to, None),
        };
        let mut imported = self.origin_of(label, at);
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

    /// Why each step was taken. The tags know it of the newest promotion and of the newest demotion alone.
    fn reasons(&self) -> Vec<Option<String>> {
        let tag = |key: &str| self.told.tags.get(key).and_then(|text| printable(text));
        let mut promotion = tag(key::PROMOTION_REASON);
        let mut demotion = tag(key::DEMOTION_REASON);
        let mut reasons: Vec<Option<String>> = Vec::new();
        for step in self.steps.iter().rev() {
            reasons.push(match (step, step.is_demotion()) {
                (Step::Settled { reason, .. }, _) => Some((*reason).to_owned()),
                (_, Some(true)) => demotion.take(),
                (_, Some(false)) => promotion.take(),
                (_, None) => None,
            });
        }
        reasons.reverse();
        reasons
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

    /// Where the version comes from, and when this happened there.
    fn origin_of(&self, label: &str, at: Timestamp) -> Value {
        json!({"from": label, "version": self.source.key.version, "at": at})
    }
}

/// A parent that the target has had before gains its first child by an import.
pub(super) fn superseded_in_target(
    key: &crate::VersionKey,
    run_id: &RunId,
    at: Timestamp,
    label: &str,
) -> Dated {
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

/// A text of others as a reason: in one line, and not too long.
fn printable(text: &str) -> Option<String> {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let short: String = line.trim().chars().take(2_000).collect();
    Reason::parse(&short).ok().map(|reason| reason.to_string())
}
