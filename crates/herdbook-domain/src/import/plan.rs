//! The exact changes of an import.

use super::finding::Finding;
use crate::history::EventDraft;
use crate::tags::{TagChanges, Tags};
use crate::values::{ModelName, RunId, Timestamp, VersionKey, VersionNumber};

/// The exact changes of an import, apart from runs. The store carries out all of them in one transaction.
#[derive(Debug, Clone, Default)]
pub struct ImportPlan {
    /// The versions to write.
    pub versions: Vec<PlannedVersion>,
    /// Changes to the tags of runs, so that they agree with their versions.
    pub run_tags: Vec<(RunId, TagChanges)>,
    /// Versions of the target that turn `old`, because an imported version is their child.
    pub superseded: Vec<(VersionKey, TagChanges)>,
    /// Events for the log with the time each happened, oldest first.
    pub events: Vec<(Timestamp, EventDraft)>,
    /// Aliases to create, `champion` included: model, alias, version.
    pub aliases: Vec<(ModelName, String, VersionNumber)>,
    /// Number of versions that an earlier import brought into the target.
    pub n_present: usize,
    /// The contradictions of the source, and what is done about each.
    pub findings: Vec<Finding>,
}

/// A version to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedVersion {
    /// The version, with its number in the target.
    pub key: VersionKey,
    /// Its number in the source.
    pub source_number: VersionNumber,
    /// Its run.
    pub run_id: Option<RunId>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Its tags.
    pub tags: Tags,
    /// MLflow's own stage.
    pub mlflow_stage: String,
    /// Its model file among the run's artifacts.
    pub model_file: Option<String>,
}
