//! Resuming a training or a sweep that crashed or was cancelled.

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use herdbook_domain::tags::key;
use herdbook_domain::{RunId, RunStatus, Timeframe, window_params};
use herdbook_store::{Session, StoreError};

use crate::environment::market_data::{DataSource, Tape};
use crate::error::TrainingError;
use crate::observer::Observer;
use crate::request::train_request::{PreparedTraining, TrainRequest};
use crate::results::report::TrainReport;
use crate::run::checkpoint::Checkpoint;
use crate::run::plan::{TrainingPlan, check_same_bars, not_the_same_bars};
use crate::run::train::{ActiveRun, with_lease};
use crate::sweep::prepared_sweep::PreparedSweep;
use crate::sweep::report::SweepReport;
use crate::sweep::train_sweep::{SWEEP_TAG, train_sweep};

/// A run with a checkpoint to resume from. Its bars are not read yet.
#[derive(Debug)]
pub struct Resumption {
    run_id: RunId,
    bars_sha256: Option<String>,
    checkpoint: Checkpoint,
}

/// A training or a sweep, ready to be resumed.
#[derive(Debug)]
pub enum PreparedResumption {
    /// A single training.
    Run(Box<PreparedRun>),
    /// The sweep that the run is a member of; only its unfinished members are trained.
    Sweep(PreparedSweep),
}

/// A single training, ready to be resumed.
#[derive(Debug)]
pub struct PreparedRun {
    pub(crate) run_id: RunId,
    pub(crate) training: PreparedTraining,
    pub(crate) checkpoint: Checkpoint,
}

impl Resumption {
    /// Finds the newest checkpoint of a run, or of another member of its sweep.
    ///
    /// # Errors
    /// [`StoreError::NotResumable`] if the run is FINISHED, [`TrainingError::NoCheckpoint`] if no checkpoint can be read,
    /// [`TrainingError::Store`] if the store cannot be read.
    pub fn find(
        store: &Session,
        run_id: &RunId,
        observer: &mut dyn Observer,
    ) -> Result<Self, TrainingError> {
        let run = store.run(run_id)?;
        let none = || match run.status {
            RunStatus::Finished => {
                let (run_id, problem) = (run_id.clone(), "is FINISHED".to_owned());
                StoreError::NotResumable { run_id, problem }.into()
            }
            status => TrainingError::NoCheckpoint { run_id: run_id.clone(), status },
        };
        let timeframe: Timeframe =
            run.tags.get(key::TIMEFRAME).and_then(|text| text.parse().ok()).ok_or_else(none)?;
        let mut checkpoint = Checkpoint::newest(store, run_id, timeframe, observer)?;
        // Without a checkpoint of its own, the run's request is taken from another member of the sweep.
        if let (None, Some(group)) = (&checkpoint, run.tags.get(SWEEP_TAG)) {
            for member in store.runs_with_tag(SWEEP_TAG, group)? {
                checkpoint = Checkpoint::newest(store, &member.run_id, timeframe, observer)?;
                if checkpoint.is_some() {
                    break;
                }
            }
        }
        let bars_sha256 = run.params.get(window_params::BARS_SHA256).cloned();
        let checkpoint = checkpoint.ok_or_else(none)?;
        Ok(Self { run_id: run_id.clone(), bars_sha256, checkpoint })
    }

    /// The original request. Of the bars it has only the path, not the contents.
    pub fn request(&self) -> &TrainRequest {
        &self.checkpoint.state.request
    }

    /// Timesteps that the checkpoint covers.
    pub fn trained_timesteps(&self) -> u64 {
        self.checkpoint.state.snapshot.trained_timesteps
    }

    /// Prepares the training on `bytes`, the contents of the file with the bars.
    ///
    /// # Errors
    /// [`TrainingError::ResumeMismatch`] if the bars are not those of the run, otherwise as [`TrainRequest::prepare`].
    pub fn prepare(self, bytes: Vec<u8>) -> Result<PreparedResumption, TrainingError> {
        let request = self.request().clone();
        let data = DataSource { bytes, ..request.data };
        let request = TrainRequest { data, ..request };
        let (run_id, begun_on) = (self.run_id.clone(), self.bars_sha256.clone());
        let (source, timeframe) = (request.data.clone(), request.timeframe);
        self.prepared(request).map_err(|error| match (Tape::read(&source, timeframe), begun_on) {
            // With other bars the windows can be wrong too. The bars are then the error to report.
            (Ok(tape), Some(before)) if tape.bars.sha256() != before => {
                not_the_same_bars(run_id, before, tape.bars.sha256())
            }
            _ => error,
        })
    }

    fn prepared(self, request: TrainRequest) -> Result<PreparedResumption, TrainingError> {
        if let Some(member) = request.membership.clone() {
            return Ok(PreparedResumption::Sweep(PreparedSweep::around(&member, request)?));
        }
        let (training, run_id) = (request.prepare()?, self.run_id);
        let prepared = PreparedRun { run_id, training, checkpoint: self.checkpoint };
        Ok(PreparedResumption::Run(Box::new(prepared)))
    }
}

impl PreparedResumption {
    /// Sets the number of threads (default 1). It does not change the model.
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

/// Result of resuming: one training or a sweep.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// A single training.
    Run(TrainReport),
    /// A sweep.
    Sweep(SweepReport),
}

impl Outcome {
    /// The report of the training that was registered.
    pub fn registered(&self) -> &TrainReport {
        match self {
            Self::Run(report) => report,
            Self::Sweep(sweep) => &sweep.report,
        }
    }
}

/// Resumes a training or a sweep from its last checkpoint. The result is the same as without the interruption.
///
/// # Errors
/// As [`train`](crate::train) and [`train_sweep`]. A run that cannot be resumed is not changed.
pub fn resume(
    store: &Session,
    prepared: PreparedResumption,
    observer: &mut dyn Observer,
    cancelled: &AtomicBool,
) -> Result<Outcome, TrainingError> {
    let PreparedRun { run_id, training, checkpoint } = match prepared {
        PreparedResumption::Run(run) => *run,
        PreparedResumption::Sweep(sweep) => {
            return train_sweep(store, &sweep, observer, cancelled).map(Outcome::Sweep);
        }
    };
    let run = store.run(&run_id)?;
    check_same_bars(&run, training.market())?;
    let plan = TrainingPlan::new(store, &training, observer)?;
    plan.check_same_as(&run)?;
    store.resume_run(&run_id, &plan.request.model)?;
    with_lease(store, &plan, &run_id, observer, |observer| {
        let training = ActiveRun { store, plan: &plan, run_id: &run_id };
        training.run(Some(checkpoint), observer, cancelled)?.register(store, observer, cancelled)
    })
    .map(Outcome::Run)
}
