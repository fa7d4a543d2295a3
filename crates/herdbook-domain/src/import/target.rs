//! The facts about the store that an import writes to.

use std::collections::{BTreeMap, BTreeSet};

use super::imported_tags::IMPORTED_FROM_VERSION;
use super::source::SourceVersion;
use crate::tags::{Tags, key};
use crate::values::{ModelName, RunId, Stage, Timestamp, VersionKey, VersionNumber};

/// A version of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetVersion {
    /// The version.
    pub key: VersionKey,
    /// Its run.
    pub run_id: Option<RunId>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Whether it was deleted through MLflow.
    pub deleted: bool,
    /// Its tags.
    pub tags: Tags,
}

/// The facts about the target when an import is planned.
#[derive(Debug, Clone, Default)]
pub struct TargetFacts {
    /// The moment of the import.
    pub now: Timestamp,
    /// Every version, deleted ones included.
    pub versions: Vec<TargetVersion>,
    /// The highest version number that each model ever gave.
    pub highest: BTreeMap<ModelName, VersionNumber>,
    /// The runs of the target, at least those among the parents that the source names.
    pub runs: BTreeSet<RunId>,
    /// The aliases that the target has, by model and name.
    pub aliases: BTreeSet<(ModelName, String)>,
}

impl TargetVersion {
    /// The version's number in the source that it was imported from.
    fn source_number(&self) -> VersionNumber {
        let tag = self.tags.get(IMPORTED_FROM_VERSION);
        tag.and_then(|text| text.parse().ok()).unwrap_or(self.key.version)
    }

    /// Whether an earlier import brought this version of the source. Such versions are not imported again.
    pub(super) fn is_import_of(&self, version: &SourceVersion) -> bool {
        self.key.name == version.key.name
            && self.source_number() == version.key.version
            && self.created_at == version.created_at
            && (self.deleted || self.run_id == version.run_id)
    }

    /// Whether the version takes part in the life cycle of stages.
    pub(super) fn takes_part(&self) -> bool {
        !self.deleted && self.tags.contains_key(key::PROMOTION_STAGE)
    }

    pub(super) fn parent(&self) -> Option<RunId> {
        RunId::parse(self.tags.get(key::BASE_MODEL_RUN_ID)?).ok()
    }
}

impl TargetFacts {
    /// The champion of a model.
    pub(super) fn champion(&self, name: &ModelName) -> Option<VersionNumber> {
        let tag = Some(Stage::Champion.as_str());
        let mut versions = self.versions.iter().filter(|one| one.key.name == *name && !one.deleted);
        let champion =
            versions.find(|one| one.tags.get(key::PROMOTION_STAGE).map(String::as_str) == tag);
        champion.map(|one| one.key.version)
    }
}
