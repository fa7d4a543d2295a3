//! The records of a source, whatever its kind, and the trait that reads them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use herdbook_domain::import::{Finding, SourceHistory};
use herdbook_domain::tags::Tags;
use herdbook_store::tables::metric::Metric;
use herdbook_store::{Store, StoreError};

/// An experiment.
#[derive(Debug, Clone)]
pub(crate) struct ExperimentRecord {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) is_deleted: bool,
    pub(crate) created_at: Option<i64>,
    pub(crate) updated_at: Option<i64>,
    pub(crate) tags: Tags,
}

/// A run without its params and metrics.
#[derive(Debug, Clone)]
pub(crate) struct RunInfo {
    pub(crate) id: String,
    /// The experiment's id.
    pub(crate) experiment: String,
    pub(crate) name: String,
    pub(crate) user: String,
    pub(crate) status: String,
    pub(crate) is_deleted: bool,
    pub(crate) started_at: Option<i64>,
    pub(crate) ended_at: Option<i64>,
    pub(crate) artifact_uri: String,
    pub(crate) tags: Tags,
}

/// The params and metrics of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunData {
    pub(crate) params: BTreeMap<String, String>,
    /// Every logged value.
    pub(crate) metrics: Vec<Metric>,
}

/// A registered model.
#[derive(Debug, Clone)]
pub(crate) struct ModelRecord {
    pub(crate) name: String,
    pub(crate) created_at: Option<i64>,
    pub(crate) updated_at: Option<i64>,
    pub(crate) description: String,
    pub(crate) tags: Tags,
    pub(crate) aliases: BTreeMap<String, i64>,
    /// Also deleted versions, if the source still lists them.
    pub(crate) versions: Vec<ModelVersionRecord>,
}

/// A version of a registered model.
#[derive(Debug, Clone)]
pub(crate) struct ModelVersionRecord {
    pub(crate) number: i64,
    pub(crate) created_at: Option<i64>,
    pub(crate) updated_at: Option<i64>,
    pub(crate) description: String,
    pub(crate) user: String,
    /// MLflow's own stage; `Deleted_Internal` if the version was deleted.
    pub(crate) stage: String,
    /// The recorded location of its files.
    pub(crate) location: String,
    pub(crate) run_id: Option<String>,
    pub(crate) tags: Tags,
}

impl ModelVersionRecord {
    pub(crate) fn is_deleted(&self) -> bool {
        self.stage == "Deleted_Internal"
    }
}

/// A store to import from.
pub(crate) trait Reader {
    /// The name of the source in the history.
    fn label(&self) -> String;
    /// Fails if the target is the source itself, as far as this is not known from their addresses.
    ///
    /// # Errors
    /// [`StoreError::SameStore`], and those of reading both.
    fn refuse_target(&self, _target: &Store) -> Result<(), StoreError> {
        Ok(())
    }
    /// All experiments, also deleted ones.
    fn experiments(&mut self) -> Result<Vec<ExperimentRecord>, StoreError>;
    /// All runs, oldest first.
    fn runs(&mut self) -> Result<Vec<RunInfo>, StoreError>;
    /// All registered models with their versions.
    fn models(&mut self) -> Result<Vec<ModelRecord>, StoreError>;
    /// What herdbook recorded of the versions in the source.
    ///
    /// # Errors
    /// Those of reading the source. A history that is damaged is no error: the result says so.
    fn recorded_history(&mut self) -> Result<SourceHistory, StoreError> {
        Ok(SourceHistory::default())
    }
    /// Params and metrics of some runs, in the same order.
    fn run_data(&mut self, runs: &[&RunInfo]) -> Result<Vec<RunData>, StoreError>;
    /// The paths of a run's artifact files, with `/`.
    ///
    /// # Errors
    /// [`ArtifactsUnreadable`] if they cannot be listed.
    fn artifacts(&mut self, run: &RunInfo) -> Result<Vec<String>, ArtifactsUnreadable>;
    /// The folder of a run's artifacts, if it is on this machine.
    fn folder(&self, run: &RunInfo) -> Option<PathBuf>;
    /// Copies one artifact into a file.
    fn fetch(&mut self, run: &RunInfo, artifact: &str, to: &Path) -> std::io::Result<()>;
    /// Records that could not be read, and kinds of records that are not imported.
    fn findings(&mut self) -> Vec<Finding>;
}

/// Artifacts that cannot be listed.
#[derive(Debug, Clone)]
pub(crate) struct ArtifactsUnreadable {
    /// The root that they share with the artifacts of other runs.
    pub(crate) root: String,
    pub(crate) problem: String,
}
