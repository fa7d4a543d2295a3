//! What a source holds, in neutral records, and the trait that reads it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use herdbook_domain::import::Finding;
use herdbook_domain::tags::Tags;
use herdbook_store::StoreError;
use herdbook_store::tables::metric::Metric;

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

/// What a run says of itself; its params and metrics come apart.
#[derive(Debug, Clone)]
pub(crate) struct RunHead {
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

/// The rest of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunBody {
    pub(crate) params: BTreeMap<String, String>,
    /// Every value that was logged.
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
    /// Deleted ones too, where the source remembers them.
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
    /// MLflow's own stage; `Deleted_Internal` where it was deleted.
    pub(crate) stage: String,
    /// Where its files are.
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
    /// What it is called in the history.
    fn label(&self) -> String;
    fn experiments(&mut self) -> Result<Vec<ExperimentRecord>, StoreError>;
    /// Every run, oldest first.
    fn runs(&mut self) -> Result<Vec<RunHead>, StoreError>;
    fn models(&mut self) -> Result<Vec<ModelRecord>, StoreError>;
    /// The rest of some runs, in their order.
    fn bodies(&mut self, runs: &[&RunHead]) -> Result<Vec<RunBody>, StoreError>;
    /// The files among a run's artifacts, as paths with `/`.
    ///
    /// # Errors
    /// [`Unreadable`] where they cannot be looked for.
    fn artifacts(&mut self, run: &RunHead) -> Result<Vec<String>, Unreadable>;
    /// The folder they lie in, where that is one of this machine.
    fn folder(&self, run: &RunHead) -> Option<PathBuf>;
    /// Writes one of them into a file.
    fn fetch(&mut self, run: &RunHead, artifact: &str, to: &Path) -> std::io::Result<()>;
    /// What could not be read, and what is of a kind that is not imported.
    fn findings(&mut self) -> Vec<Finding>;
}

/// Artifacts that cannot be looked for.
#[derive(Debug, Clone)]
pub(crate) struct Unreadable {
    /// The root they share with those of other runs.
    pub(crate) root: String,
    pub(crate) problem: String,
}
