//! What a source holds and what the target knows: the two sides that an import is decided on.

use std::collections::{BTreeMap, BTreeSet};

use crate::tags::{Tags, key};
use crate::{ModelName, RunId, RunStatus, Timestamp, VersionKey, VersionNumber};

use super::Zone;

/// What a source says of one run, as far as the rules know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRun {
    /// Its identity.
    pub run_id: RunId,
    /// Its status there.
    pub status: RunStatus,
    /// Its tags; at least those that the rules know.
    pub tags: Tags,
}

/// What a source says of one version that was not deleted there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceVersion {
    /// Which: the number is the source's.
    pub key: VersionKey,
    /// Its run.
    pub run_id: Option<RunId>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Its tags.
    pub tags: Tags,
    /// MLflow's own stage.
    pub mlflow_stage: String,
    /// Its model file among the run's artifacts; `None` where there is none.
    pub model_file: Option<SourceFile>,
}

/// A model file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path among the run's artifacts.
    pub artifact: String,
    /// Lower-case hex SHA-256; `None` where it was only looked for.
    pub sha256: Option<String>,
}

/// What a source holds, as far as the rules know it.
#[derive(Debug, Clone)]
pub struct SourceRecords {
    /// The source, for the history.
    pub label: String,
    /// The zone of times in tags that herdbook did not write.
    pub zone: Zone,
    /// Every run.
    pub runs: BTreeMap<RunId, SourceRun>,
    /// Every version.
    pub versions: Vec<SourceVersion>,
    /// Where the aliases of each model point.
    pub aliases: BTreeMap<ModelName, BTreeMap<String, VersionNumber>>,
    /// Parents of versions that were deleted there, and when the first of those was registered: they count on.
    pub deleted_children: BTreeMap<RunId, Timestamp>,
}

/// What the target says of one of its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetVersion {
    /// Which.
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

/// What is known of the target when an import is decided.
#[derive(Debug, Clone, Default)]
pub struct TargetFacts {
    /// When that is.
    pub now: Timestamp,
    /// Every version, deleted ones too.
    pub versions: Vec<TargetVersion>,
    /// The highest number each model ever gave.
    pub highest: BTreeMap<ModelName, VersionNumber>,
    /// Those runs, among the parents that the source names, which the target has.
    pub runs: BTreeSet<RunId>,
    /// The aliases that are taken.
    pub aliases: BTreeSet<(ModelName, String)>,
}

impl TargetVersion {
    /// The number it had in the source it came from, where that was another one.
    fn source_number(&self) -> VersionNumber {
        let tag = self.tags.get(super::IMPORTED_FROM_VERSION);
        tag.and_then(|text| text.parse().ok()).unwrap_or(self.key.version)
    }

    /// Whether it is this version of a source: what an import has brought is not brought again.
    pub(super) fn is(&self, version: &SourceVersion) -> bool {
        self.key.name == version.key.name
            && self.source_number() == version.key.version
            && self.created_at == version.created_at
            && (self.deleted || self.run_id == version.run_id)
    }

    /// Whether it takes part in the life cycle of stages.
    pub(super) fn takes_part(&self) -> bool {
        !self.deleted && self.tags.contains_key(key::PROMOTION_STAGE)
    }

    pub(super) fn parent(&self) -> Option<RunId> {
        RunId::parse(self.tags.get(key::BASE_MODEL_RUN_ID)?).ok()
    }
}

impl SourceRecords {
    /// Every parent that a run or version names.
    pub fn parents(&self) -> BTreeSet<RunId> {
        let of_runs = self.runs.values().map(|run| &run.tags);
        let of_versions = self.versions.iter().map(|version| &version.tags);
        of_runs.chain(of_versions).filter_map(super::told::parent_of).collect()
    }
}
