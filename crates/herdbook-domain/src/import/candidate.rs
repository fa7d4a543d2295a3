//! A version of the source that is a candidate for import: its parsed tags, its history, and the tags it will have.

use crate::evidence::Honesty;
use crate::lineage::Origin;
use crate::tags::{TagChanges, Tags, key, promotion_key};
use crate::values::{RunId, Stage, Timestamp, VersionKey, VersionNumber, VersionType};

use super::finding::{Finding, FindingKind};
use super::imported_tags::{IMPORTED_FROM_VERSION, kept_key};
use super::parsed_tags::{ParsedTags, SHARED_KEYS, TIME_KEYS};
use super::recorded_change::change_key;
use super::source::SourceVersion;
use super::steps::{HistoryStep, is_within_a_minute};

/// A version of the source on its way into the target.
pub(super) struct Candidate<'a> {
    pub(super) source: &'a SourceVersion,
    pub(super) parsed: ParsedTags,
    /// Its history; empty where it takes no part in the life cycle of stages.
    pub(super) steps: Vec<HistoryStep>,
    pub(super) takes_part: bool,
    /// Whether an earlier import brought it into the target.
    pub(super) is_present: bool,
    /// Whether it takes part in the life cycle of stages in the target.
    pub(super) takes_part_in_target: bool,
    /// Its number in the target.
    pub(super) number: VersionNumber,
    /// When its first child was registered.
    pub(super) first_child_at: Option<Timestamp>,
    pub(super) now: Timestamp,
}

impl Candidate<'_> {
    /// Its stage after all steps; `None` where it takes no part in the life cycle of stages.
    pub(super) fn stage(&self) -> Option<Stage> {
        self.takes_part.then(|| self.steps.last().map_or(Stage::Development, HistoryStep::to))
    }

    /// Its key in the target.
    pub(super) fn key(&self) -> VersionKey {
        VersionKey { name: self.source.key.name.clone(), version: self.number }
    }

    pub(super) fn run_id(&self) -> Option<&RunId> {
        self.source.run_id.as_ref()
    }

    pub(super) fn version_type(&self) -> VersionType {
        if self.first_child_at.is_some() { VersionType::Old } else { VersionType::Latest }
    }

    /// Adds the step by which the import takes the champion's stage away.
    pub(super) fn demote_champion(&mut self, to: Stage, reason: &'static str) {
        self.steps.push(HistoryStep::ByImport { at: self.now, from: Stage::Champion, to, reason });
    }

    pub(super) fn find(&self, kind: FindingKind, message: &str, action: &str) -> Finding {
        Finding::new(kind, message, action).of_version(&self.source.key, self.run_id())
    }

    /// The tags that the version will have in the target.
    pub(super) fn tags(&self) -> Tags {
        let mut tags = self.parsed.tags.clone();
        if self.takes_part {
            self.set_origin(&mut tags);
            self.set_history(&mut tags);
            replace(&mut tags, key::VERSION_TYPE, Some(self.version_type().to_string()));
            replace(&mut tags, key::PROMOTION_STAGE, self.stage().map(|stage| stage.to_string()));
            tags.insert(key::HONESTY.to_owned(), self.honesty().to_string());
        } else {
            tags = self.source.tags.clone();
            replace(&mut tags, key::PROMOTION_STAGE, None);
        }
        if self.number != self.source.key.version {
            tags.insert(IMPORTED_FROM_VERSION.to_owned(), self.source.key.version.to_string());
        }
        tags
    }

    /// The honesty state; unknown if it was not recorded.
    pub(super) fn honesty(&self) -> Honesty {
        let tag = self.parsed.tags.get(key::HONESTY);
        tag.and_then(|text| text.parse().ok()).unwrap_or(Honesty::Unknown)
    }

    fn set_origin(&self, tags: &mut Tags) {
        if let Some(origin) = self.parsed.origin() {
            let wanted = origin.run_tags();
            for key in Origin::TAG_KEYS {
                replace(tags, key, wanted.get(key).cloned());
            }
        }
    }

    /// Replaces the recorded changes by tags with keys in UTC, as herdbook writes them, and converts all other times.
    fn set_history(&self, tags: &mut Tags) {
        for key in self.parsed.tags.keys().filter(|key| change_key(key).is_some()) {
            let value = tags.remove(key);
            if !self.parsed.changes.iter().any(|change| change.tag == *key) {
                tags.extend(value.map(|value| (kept_key(key), value)));
            }
        }
        for key in TIME_KEYS {
            if let Some(at) = self.parsed.time(key) {
                tags.insert(key.to_owned(), at.tag());
            } else if tags.contains_key(key) {
                replace(tags, key, None);
            }
        }
        for step in &self.steps {
            let (at, from, to) = match step {
                HistoryStep::Recorded(change) => (change.at, change.from, change.to),
                HistoryStep::ByImport { at, from, to, reason } => {
                    tags.insert(key::DEMOTION_REASON.to_owned(), (*reason).to_owned());
                    tags.insert(key::DEMOTION_TIMESTAMP.to_owned(), at.tag());
                    (*at, *from, *to)
                }
                HistoryStep::Unrecorded { .. } => continue,
            };
            let taken: Vec<String> = tags.keys().cloned().collect();
            let change = promotion_key(at, taken.iter().map(String::as_str));
            tags.insert(change, format!("{from} -> {to}"));
            tags.insert(key::LAST_PROMOTED_AT.to_owned(), at.tag());
        }
        if self.steps.last().is_some_and(HistoryStep::ends_demotion) {
            tags.remove(key::DEMOTION_REASON);
            tags.remove(key::DEMOTION_TIMESTAMP);
        }
        self.keep_untold(tags);
    }

    /// Keeps each time and reason of the source that is neither in an event nor in its own tag any more.
    fn keep_untold(&self, tags: &mut Tags) {
        let told = self.told();
        let is_event = |key: &str| match key {
            key::LAST_PROMOTED_AT => {
                self.parsed.time(key).is_some_and(|at| self.has_step(at, HistoryStep::is_told))
            }
            key::DEMOTION_TIMESTAMP => {
                let at = self.parsed.demoted_at;
                at.is_some_and(|at| self.has_step(at, HistoryStep::may_be_demotion))
            }
            key::DEMOTION_REASON => told.demotion,
            _ => false,
        };
        for key in [key::LAST_PROMOTED_AT, key::DEMOTION_TIMESTAMP, key::DEMOTION_REASON] {
            let Some(old) = self.parsed.tags.get(key) else { continue };
            let present = match self.parsed.time(key) {
                Some(at) if key != key::DEMOTION_REASON => at.tag(),
                _ => old.clone(),
            };
            if tags.get(key) != Some(&present) && !is_event(key) {
                tags.entry(kept_key(key)).or_insert_with(|| old.clone());
            }
        }
    }

    /// Whether a step of the source happened at a time, give or take the seconds that some tags lack.
    fn has_step(&self, at: Timestamp, wanted: impl Fn(&HistoryStep) -> bool) -> bool {
        self.steps.iter().any(|step| is_within_a_minute(step.at(), at) && wanted(step))
    }

    /// The changes to the tags of its run, so that they equal the version's.
    pub(super) fn run_tags(&self) -> TagChanges {
        let tags = self.tags();
        let mut changes = TagChanges::default();
        for key in SHARED_KEYS.into_iter().chain([key::HONESTY]) {
            changes.set_or_remove(key, tags.get(key).cloned());
        }
        changes
    }
}

/// Sets or removes a tag. A different old value is kept under [`kept_key`].
fn replace(tags: &mut Tags, key: &str, value: Option<String>) {
    let old = tags.remove(key);
    if let Some(old) = old.filter(|old| Some(old) != value.as_ref()) {
        tags.insert(kept_key(key), old);
    }
    tags.extend(value.map(|value| (key.to_owned(), value)));
}
