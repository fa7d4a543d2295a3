//! The files of closes among the artifacts of runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use herdbook_domain::{Evaluation, RunId, hex_sha256, window_params};
use herdbook_market::Closes;
use herdbook_store::{KnownCloses, RunRecord, Store, StoreError, TrainingCloses};

/// Artifact path of the closes of a training, by which its bars are recognised.
pub const OF_TRAINING: &str = "data/closes.bin";

/// Reads files of closes, each content once.
pub(crate) struct StoredCloses<'a> {
    store: &'a Store,
    by_sha256: BTreeMap<String, Option<Arc<Closes>>>,
}

impl<'a> StoredCloses<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self { store, by_sha256: BTreeMap::new() }
    }

    /// The closes of a training; `None` if the run kept none, or the file is missing or altered.
    pub(crate) fn of_run(&mut self, run: &RunRecord) -> Result<Option<Arc<Closes>>, StoreError> {
        match run.params_for_rules().get(window_params::CLOSES_SHA256) {
            Some(sha256) => self.read(&run.run_id, OF_TRAINING, sha256),
            None => Ok(None),
        }
    }

    /// Whether the record of a training has the hash of its closes.
    pub(crate) fn are_recorded(run: &RunRecord) -> bool {
        run.params_for_rules().contains_key(window_params::CLOSES_SHA256)
    }

    /// The closes of some trainings; `None` if no run has the file, or it is altered in all.
    pub(crate) fn of_trainings(
        &mut self,
        trainings: &TrainingCloses,
    ) -> Result<Option<Arc<Closes>>, StoreError> {
        for run_id in &trainings.run_ids {
            if let Some(closes) = self.read(run_id, OF_TRAINING, &trainings.sha256)? {
                return Ok(Some(closes));
            }
        }
        Ok(None)
    }

    /// The closes of a training or an evaluation; `None` if the file is missing or altered.
    pub(crate) fn of(&mut self, known: &KnownCloses) -> Result<Option<Arc<Closes>>, StoreError> {
        if known.is_of_evaluation {
            self.of_evaluation(&known.run_id, &known.sha256)
        } else {
            self.read(&known.run_id, OF_TRAINING, &known.sha256)
        }
    }

    /// The closes of an evaluation; `None` if the file is missing or altered.
    pub(crate) fn of_evaluation(
        &mut self,
        run_id: &RunId,
        sha256: &str,
    ) -> Result<Option<Arc<Closes>>, StoreError> {
        self.read(run_id, &Evaluation::closes_artifact(sha256), sha256)
    }

    fn read(
        &mut self,
        run_id: &RunId,
        artifact: &str,
        sha256: &str,
    ) -> Result<Option<Arc<Closes>>, StoreError> {
        // A missing file does not keep an equal one of another run from being read.
        if let Some(Some(closes)) = self.by_sha256.get(sha256) {
            return Ok(Some(Arc::clone(closes)));
        }
        let bytes = match self.store.read_artifact(run_id, artifact) {
            Ok(bytes) => Some(bytes),
            Err(
                StoreError::Artifact { .. }
                | StoreError::ForeignArtifacts { .. }
                | StoreError::NoSuchRun { .. },
            ) => None,
            Err(error) => return Err(error),
        };
        let bytes = bytes.filter(|bytes| hex_sha256(bytes) == sha256);
        let closes = bytes.and_then(|bytes| Closes::from_bytes(&bytes)).map(Arc::new);
        self.by_sha256.insert(sha256.to_owned(), closes.clone());
        Ok(closes)
    }
}
