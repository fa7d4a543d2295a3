//! One version of the source on its way in: what its tags tell, its past, and the tags it will carry.

use crate::tags::{TagChanges, Tags, key, promotion_key};
use crate::{Honesty, RunId, Stage, Timestamp, Transition, VersionKey, VersionNumber, VersionType};

use super::past::Step;
use super::source::SourceVersion;
use super::told::{SHARED, Told, change_key};
use super::{Finding, FindingKind, IMPORTED_FROM_VERSION, kept};

/// A version of the source.
pub(super) struct Member<'a> {
    pub(super) source: &'a SourceVersion,
    pub(super) told: Told,
    /// Its past; empty where it takes no part in the life cycle of stages.
    pub(super) steps: Vec<Step>,
    pub(super) takes_part: bool,
    /// Whether the target has it already.
    pub(super) is_present: bool,
    /// Whether it takes part there.
    pub(super) is_settled: bool,
    /// Its number in the target.
    pub(super) number: VersionNumber,
    /// When its first child was registered.
    pub(super) first_child_at: Option<Timestamp>,
    pub(super) now: Timestamp,
}

/// Tags that registration writes for good.
const ORIGIN: [&str; 5] = [
    key::TIMEFRAME,
    key::MODEL_TYPE,
    key::ENHANCEMENT_TYPE,
    key::BASE_MODEL_PATH,
    key::BASE_MODEL_RUN_ID,
];
/// Tags that hold a time.
const TIMES: [&str; 3] =
    [key::LAST_PROMOTED_AT, key::ENHANCEMENT_TIMESTAMP, key::DEMOTION_TIMESTAMP];

impl Member<'_> {
    /// Its stage in the end; `None` where it takes no part.
    pub(super) fn stage(&self) -> Option<Stage> {
        self.takes_part.then(|| self.steps.last().map_or(Stage::Development, Step::to))
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

    pub(super) fn leave_the_champions_place(&mut self, to: Stage, reason: &'static str) {
        self.steps.push(Step::Settled { at: self.now, from: Stage::Champion, to, reason });
    }

    pub(super) fn find(&self, kind: FindingKind, message: &str, action: &str) -> Finding {
        Finding::new(kind, message, action).of_version(&self.source.key, self.run_id())
    }

    /// The tags it will carry.
    pub(super) fn tags(&self) -> Tags {
        let mut tags = self.told.tags.clone();
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

    /// What nobody recorded is unknown (spec §8).
    pub(super) fn honesty(&self) -> Honesty {
        let tag = self.told.tags.get(key::HONESTY);
        tag.and_then(|text| text.parse().ok()).unwrap_or(Honesty::Unknown)
    }

    fn set_origin(&self, tags: &mut Tags) {
        if let Some(origin) = self.told.origin() {
            let wanted = origin.run_tags();
            for key in ORIGIN {
                replace(tags, key, wanted.get(key).cloned());
            }
        }
    }

    /// The changes of stage under keys in UTC, as herdbook writes them, and the times beside them.
    fn set_history(&self, tags: &mut Tags) {
        for key in self.told.tags.keys().filter(|key| change_key(key).is_some()) {
            let value = tags.remove(key);
            if !self.told.changes.iter().any(|change| change.tag == *key) {
                tags.extend(value.map(|value| (kept(key), value)));
            }
        }
        for key in TIMES {
            if let Some(at) = self.told.time(key) {
                tags.insert(key.to_owned(), at.tag());
            } else if tags.contains_key(key) {
                replace(tags, key, None);
            }
        }
        for step in &self.steps {
            let (at, from, to) = match step {
                Step::Changed(change) => (change.at, change.from, change.to),
                Step::Settled { at, from, to, reason } => {
                    tags.insert(key::DEMOTION_REASON.to_owned(), (*reason).to_owned());
                    tags.insert(key::DEMOTION_TIMESTAMP.to_owned(), at.tag());
                    (*at, *from, *to)
                }
                Step::Arrived { .. } => continue,
            };
            let taken: Vec<String> = tags.keys().cloned().collect();
            let change = promotion_key(at, taken.iter().map(String::as_str));
            tags.insert(change, format!("{from} -> {to}"));
            tags.insert(key::LAST_PROMOTED_AT.to_owned(), at.tag());
        }
        if self.steps.iter().rev().find_map(Step::is_demotion) == Some(false) {
            tags.remove(key::DEMOTION_REASON);
            tags.remove(key::DEMOTION_TIMESTAMP);
        }
    }

    /// What its run has to carry: the same.
    pub(super) fn run_tags(&self) -> TagChanges {
        let tags = self.tags();
        let mut changes = TagChanges::default();
        for key in SHARED.into_iter().chain([key::HONESTY]) {
            changes.set_or_remove(key, tags.get(key).cloned());
        }
        changes
    }
}

impl Step {
    /// Whether a change took standing away; `None` where no change was recorded.
    pub(super) fn is_demotion(&self) -> Option<bool> {
        let (from, to) = match self {
            Self::Changed(change) => (change.from, change.to),
            Self::Settled { from, to, .. } => (*from, *to),
            Self::Arrived { .. } => return None,
        };
        Some(from.change_to(to).is_some_and(Transition::is_demotion))
    }
}

/// Sets or removes a tag; another value that stood there is kept beside it.
fn replace(tags: &mut Tags, key: &str, value: Option<String>) {
    let old = tags.remove(key);
    if let Some(old) = old.filter(|old| Some(old) != value.as_ref()) {
        tags.insert(kept(key), old);
    }
    tags.extend(value.map(|value| (key.to_owned(), value)));
}
