//! The records of the source of an import.

use std::collections::{BTreeMap, BTreeSet};

use super::parent::parent_of;
use super::source_history::SourceHistory;
use super::zone::Zone;
use crate::tags::Tags;
use crate::values::{ModelName, RunId, RunStatus, Timestamp, VersionKey, VersionNumber};

/// A run of the source, as far as the rules know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRun {
    /// The run.
    pub run_id: RunId,
    /// Its status in the source.
    pub status: RunStatus,
    /// Its tags, at least those that the rules know.
    pub tags: Tags,
}

/// A version of the source that is not deleted there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceVersion {
    /// The version, with its number in the source.
    pub key: VersionKey,
    /// Its run.
    pub run_id: Option<RunId>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Its tags.
    pub tags: Tags,
    /// MLflow's own stage.
    pub mlflow_stage: String,
    /// Its model file; `None` where there is none.
    pub model_file: Option<SourceFile>,
}

/// A model file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its path among the run's artifacts.
    pub artifact: String,
    /// Lower-case hex SHA-256 of the content; `None` where the file was not read.
    pub sha256: Option<String>,
}

/// The records of a source, as far as the rules know them.
#[derive(Debug, Clone)]
pub struct SourceRecords {
    /// Name of the source, for the log.
    pub label: String,
    /// The time zone of times in tags that were not written by herdbook.
    pub zone: Zone,
    /// Every run, by run id.
    pub runs: BTreeMap<RunId, SourceRun>,
    /// Every version that is not deleted.
    pub versions: Vec<SourceVersion>,
    /// The version that each alias of each model points at.
    pub aliases: BTreeMap<ModelName, BTreeMap<String, VersionNumber>>,
    /// What herdbook recorded of the versions in the source.
    pub history: SourceHistory,
    /// Parents of versions that were deleted in the source, each with the time its first such child was registered.
    /// These parents stay `old`.
    pub deleted_children: BTreeMap<RunId, Timestamp>,
}

impl SourceRecords {
    /// Every parent that a run or a version names.
    pub fn parents(&self) -> BTreeSet<RunId> {
        let of_runs = self.runs.values().map(|run| &run.tags);
        let of_versions = self.versions.iter().map(|version| &version.tags);
        of_runs.chain(of_versions).filter_map(parent_of).collect()
    }
}
