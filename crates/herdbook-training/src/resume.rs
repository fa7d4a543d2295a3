//! Taking up a training that crashed or was cancelled.

use std::num::NonZeroUsize;

use herdbook_domain::tags::key;
use herdbook_domain::{RunId, Timeframe};
use herdbook_store::{RunRecord, Store};

use crate::checkpoint::Checkpoint;
use crate::plan::Plan;
use crate::request::{PreparedTraining, TrainRequest};
use crate::sweep::PreparedSweep;
use crate::{DataSource, Observer, TrainingError};

/// A run with a checkpoint to go on from. Its bars are still to be read.
#[derive(Debug)]
pub struct Resumption {
    run_id: RunId,
    checkpoint: Checkpoint,
}

/// What can go on.
#[derive(Debug)]
pub enum PreparedResumption {
    /// One training.
    Run(Box<PreparedRun>),
    /// The sweep that the run is a member of: what is not finished of it.
    Sweep(PreparedSweep),
}

/// A training that can go on.
#[derive(Debug)]
pub struct PreparedRun {
    pub(crate) run_id: RunId,
    pub(crate) training: PreparedTraining,
    pub(crate) checkpoint: Checkpoint,
}

impl Resumption {
    /// Finds the newest checkpoint of a run.
    ///
    /// # Errors
    /// [`TrainingError::NoCheckpoint`] where there is none that can be read.
    pub fn find(
        store: &Store,
        run_id: &RunId,
        observer: &mut dyn Observer,
    ) -> Result<Self, TrainingError> {
        let run = store.run(run_id)?;
        let none = || TrainingError::NoCheckpoint { run_id: run_id.clone(), status: run.status };
        let timeframe: Timeframe =
            run.tags.get(key::TIMEFRAME).and_then(|text| text.parse().ok()).ok_or_else(none)?;
        let checkpoint = Checkpoint::newest(store, run_id, timeframe, observer)?;
        Ok(Self { run_id: run_id.clone(), checkpoint: checkpoint.ok_or_else(none)? })
    }

    /// What had been asked for; of the bars it is known only where they lie.
    pub fn request(&self) -> &TrainRequest {
        &self.checkpoint.state.request
    }

    /// Timesteps that need not be trained again.
    pub fn trained_timesteps(&self) -> u64 {
        self.checkpoint.state.snapshot.trained_timesteps
    }

    /// Reads the bars again.
    pub fn prepare(self, bytes: Vec<u8>) -> Result<PreparedResumption, TrainingError> {
        let request = self.request().clone();
        let data = DataSource { bytes, ..request.data };
        let request = TrainRequest { data, ..request };
        if let Some(member) = request.membership.clone() {
            return Ok(PreparedResumption::Sweep(PreparedSweep::around(&member, request)?));
        }
        let (training, run_id) = (request.prepare()?, self.run_id);
        let prepared = PreparedRun { run_id, training, checkpoint: self.checkpoint };
        Ok(PreparedResumption::Run(Box::new(prepared)))
    }
}

impl PreparedResumption {
    /// Goes on with this many threads instead of one, to the same model.
    #[must_use]
    pub fn with_threads(self, n_threads: NonZeroUsize) -> Self {
        match self {
            Self::Run(mut run) => {
                run.training = run.training.with_threads(n_threads);
                Self::Run(run)
            }
            Self::Sweep(sweep) => Self::Sweep(sweep.with_threads(n_threads)),
        }
    }
}

impl Plan<'_> {
    /// Refuses to go on with a run that was begun on other bars, or by other rules.
    pub(crate) fn check_same_as(&self, run: &RunRecord) -> Result<(), TrainingError> {
        for (key, now) in &self.params {
            let before = run.params.get(key);
            if before != Some(now) {
                return Err(TrainingError::NotTheSame {
                    run_id: run.run_id.clone(),
                    param: key.clone(),
                    before: before.cloned().unwrap_or_default(),
                    now: now.clone(),
                });
            }
        }
        Ok(())
    }
}
