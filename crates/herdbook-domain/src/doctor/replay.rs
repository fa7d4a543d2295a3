//! The tags that a version must have, computed again from its events.
//!
//! A registration and each change of stage write tags of the version. The same tags follow from the events alone, so a tag
//! that another program changed is found by comparison. A tag whose value the events do not determine is not expected.

use std::collections::BTreeMap;

use serde_json::Value;

use super::difference::Difference;
use crate::evidence::Honesty;
use crate::history::{Event, EventKind};
use crate::rules::Cause;
use crate::tags::{Tags, is_promotion_key, key, promotion_key};
use crate::values::{RunId, Stage, Timestamp};

/// How a version came into the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// herdbook registered it; the rows of the version were written then, by this actor.
    Registered {
        /// The moment of the registration.
        at: Timestamp,
        /// The actor.
        actor: String,
    },
    /// An import brought it from another store, which had registered it at this moment, if that is on record.
    Imported {
        /// The moment of the registration there.
        at: Option<Timestamp>,
    },
    /// Another program registered it.
    Adopted,
}

/// What the events of one version determine about its records.
#[derive(Debug, Clone)]
pub(super) struct Replay {
    /// How it came into the history.
    pub(super) entry: Entry,
    /// The event of the registration or adoption.
    pub(super) event_id: i64,
    /// Its run at that moment.
    pub(super) run_id: Option<RunId>,
    /// Its honesty at the registration.
    pub(super) honesty: Option<Honesty>,
    /// The path of its model file among the artifacts of its run.
    pub(super) model_file: Option<String>,
    /// Steps that its run trained for.
    trained_timesteps: Option<u64>,
    /// The value of each tag that the events determine; `None`: the version must not have the tag.
    tags: BTreeMap<String, Option<String>>,
    /// Keys of the tags that record changes of stage.
    promotion_keys: Vec<String>,
}

impl Replay {
    /// Begins with an event that registers or adopts a version.
    pub(super) fn begin(event: &Event) -> Self {
        let details: Value = serde_json::from_str(&event.what.details).unwrap_or_default();
        let is_registered = event.what.kind == EventKind::Registered;
        let imported = details.get("imported");
        let entry = match imported {
            Some(mark) => Entry::Imported { at: moment(mark).filter(|_| is_registered) },
            None if is_registered => Entry::Registered { at: event.at, actor: event.actor.clone() },
            None => Entry::Adopted,
        };
        let mut replay = Self {
            event_id: event.id,
            run_id: event.what.run_id.clone(),
            honesty: details["honesty"].as_str().and_then(|text| text.parse().ok()),
            model_file: details["model_file"].as_str().map(str::to_owned),
            trained_timesteps: details["trained_timesteps"].as_u64(),
            tags: BTreeMap::new(),
            promotion_keys: Vec::new(),
            entry,
        };
        if let Some(honesty) = replay.honesty {
            replay.expect(key::HONESTY, Some(honesty.to_string()));
        }
        if let Some(total) = details["sealed"]["total_timesteps"].as_u64() {
            replay.expect(key::TOTAL_TIMESTEPS, Some(total.to_string()));
        }
        if let Entry::Registered { at, .. } = replay.entry {
            replay.expect_new(at, event.what.parent.is_some());
        }
        replay
    }

    /// The tags of a version that herdbook registered: it had no change of stage yet.
    fn expect_new(&mut self, at: Timestamp, is_enhanced: bool) {
        for key in [
            key::LAST_PROMOTED_AT,
            key::PROMOTION_REASON,
            key::DEMOTION_REASON,
            key::DEMOTION_TIMESTAMP,
        ] {
            self.expect(key, None);
        }
        self.expect(key::ENHANCEMENT_TIMESTAMP, is_enhanced.then(|| at.tag()));
        let total = self.tags.get(key::TOTAL_TIMESTEPS).cloned().flatten();
        let total = total.and_then(|total| total.parse::<u64>().ok());
        if is_enhanced {
            if let Some(previous) =
                total.zip(self.trained_timesteps).map(|(all, own)| all.saturating_sub(own))
            {
                self.expect(key::PREVIOUS_TIMESTEPS, Some(previous.to_string()));
            }
        } else {
            self.expect(key::PREVIOUS_TIMESTEPS, None);
            if let Some(steps) = self.trained_timesteps {
                self.expect(key::TOTAL_TIMESTEPS, Some(steps.to_string()));
            }
        }
    }

    /// Adds a later change of stage.
    pub(super) fn change_stage(&mut self, event: &Event) {
        let what = &event.what;
        let (Some(from), Some(to)) = (&what.from, &what.to) else { return };
        let details: Value = serde_json::from_str(&what.details).unwrap_or_default();
        let imported = details.get("imported");
        let at = imported.and_then(moment).unwrap_or(event.at);
        let promotion = promotion_key(at, self.promotion_keys.iter().map(String::as_str));
        self.promotion_keys.push(promotion.clone());
        self.expect(&promotion, Some(format!("{from} -> {to}")));
        self.expect(key::LAST_PROMOTED_AT, Some(at.tag()));
        let cause = details["cause"].as_str();
        match cause.and_then(Cause::parse) {
            Some(Cause::Requested | Cause::Returned) => {
                self.expect(key::PROMOTION_REASON, what.reason.clone());
            }
            Some(Cause::Displaced | Cause::DeletedElsewhere | Cause::RolledBack) => {}
            // An import takes the reasons from the tags of its source.
            None => {
                for key in [key::PROMOTION_REASON, key::DEMOTION_REASON, key::DEMOTION_TIMESTAMP] {
                    self.tags.remove(key);
                }
                return;
            }
        }
        let stage = |text: &str| text.parse::<Stage>().ok();
        let transition = stage(from).zip(stage(to)).and_then(|(from, to)| from.change_to(to));
        if let Some(transition) = transition {
            let is_demotion = transition.is_demotion();
            self.expect(key::DEMOTION_REASON, what.reason.clone().filter(|_| is_demotion));
            self.expect(key::DEMOTION_TIMESTAMP, is_demotion.then(|| at.tag()));
        }
    }

    fn expect(&mut self, key: &str, value: Option<String>) {
        self.tags.insert(key.to_owned(), value);
    }

    /// The tags that differ from the events, sorted by key; those for which `is_asked` is true.
    pub(super) fn differences(
        &self,
        tags: &Tags,
        is_asked: impl Fn(&str) -> bool,
    ) -> Vec<Difference> {
        let mut differences: Vec<Difference> = self
            .tags
            .iter()
            .filter(|(key, expected)| {
                is_asked(key) && !agree(key, tags.get(*key), expected.as_ref())
            })
            .map(|(key, expected)| Difference::new(key, tags.get(key).cloned(), expected.clone()))
            .collect();
        differences.extend(self.unrecorded_changes(tags).filter(|one| is_asked(&one.what)));
        differences.extend(self.wrong_total(tags).filter(|one| is_asked(&one.what)));
        differences.sort_by(|a, b| a.what.cmp(&b.what));
        differences
    }

    /// Tags that record changes of stage of which there is no event. An adopted version had a life before its history.
    fn unrecorded_changes(&self, tags: &Tags) -> impl Iterator<Item = Difference> {
        let is_whole = self.entry != Entry::Adopted;
        tags.iter()
            .filter(move |(key, _)| {
                is_whole && is_promotion_key(key) && !self.tags.contains_key(*key)
            })
            .map(|(key, value)| Difference::new(key, Some(value.clone()), None))
    }

    /// The total of an enhanced model: its own steps and those before it.
    fn wrong_total(&self, tags: &Tags) -> Option<Difference> {
        if !matches!(self.entry, Entry::Registered { .. })
            || self.tags.contains_key(key::TOTAL_TIMESTEPS)
        {
            return None;
        }
        let steps = |key: &str| tags.get(key).and_then(|text| text.parse::<u64>().ok());
        let found = tags.get(key::TOTAL_TIMESTEPS);
        let trained = self.trained_timesteps?;
        let Some(previous) = steps(key::PREVIOUS_TIMESTEPS) else {
            let previous = steps(key::TOTAL_TIMESTEPS)?.checked_sub(trained)?;
            let found = tags.get(key::PREVIOUS_TIMESTEPS).cloned();
            let expected = Some(previous.to_string());
            return Some(Difference::new(key::PREVIOUS_TIMESTEPS, found, expected));
        };
        let expected = previous.saturating_add(trained).to_string();
        let is_wrong = found != Some(&expected);
        is_wrong.then(|| Difference::new(key::TOTAL_TIMESTEPS, found.cloned(), Some(expected)))
    }
}

/// Whether a tag has the expected value. Other programs may write a number of steps in another way.
fn agree(key: &str, found: Option<&String>, expected: Option<&String>) -> bool {
    let steps = |text: Option<&String>| text.and_then(|text| text.parse::<u64>().ok());
    found == expected
        || (key == key::TOTAL_TIMESTEPS
            && steps(expected).is_some_and(|expected| steps(found) == Some(expected)))
}

/// Whether a change of stage writes the tag.
pub(super) fn is_history_tag(key: &str) -> bool {
    is_promotion_key(key)
        || [
            key::LAST_PROMOTED_AT,
            key::PROMOTION_REASON,
            key::DEMOTION_REASON,
            key::DEMOTION_TIMESTAMP,
        ]
        .contains(&key)
}

/// The moment in the mark of an imported event.
fn moment(mark: &Value) -> Option<Timestamp> {
    Timestamp::parse(mark["at"].as_str()?).ok()
}
