//! Taking up a training that crashed or was cancelled.

use std::num::NonZeroUsize;

use herdbook_domain::tags::key;
use herdbook_domain::{RunId, RunStatus, Timeframe, window_params};
use herdbook_store::{RunRecord, Session, StoreError};

use crate::checkpoint::Checkpoint;
use crate::market_data::{MarketData, Tape};
use crate::plan::Plan;
use crate::request::{PreparedTraining, TrainRequest};
use crate::sweep::{PreparedSweep, SWEEP_TAG};
use crate::{DataSource, Observer, TrainingError};

/// A run with a checkpoint to go on from. Its bars are still to be read.
#[derive(Debug)]
pub struct Resumption {
    run_id: RunId,
    bars_sha256: Option<String>,
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
    /// Finds the newest checkpoint of a run, or of another member of its sweep.
    ///
    /// # Errors
    /// [`TrainingError::NoCheckpoint`] where there is none that can be read, [`StoreError::NotResumable`] of a run that
    /// is finished.
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
        // A member of a sweep without one: any other's tells what had been asked for.
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
        let (run_id, begun_on) = (self.run_id.clone(), self.bars_sha256.clone());
        let (source, timeframe) = (request.data.clone(), request.timeframe);
        self.prepared(request).map_err(|error| match (Tape::read(&source, timeframe), begun_on) {
            // A window that other bars do not have is not what is wrong.
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

/// Refuses to go on with a run on other bars than it was begun on: whatever else is wrong then comes of that.
pub(crate) fn check_same_bars(run: &RunRecord, market: &MarketData) -> Result<(), TrainingError> {
    let now = market.tape.bars.sha256();
    match run.params.get(window_params::BARS_SHA256) {
        Some(before) if *before != now => {
            Err(not_the_same_bars(run.run_id.clone(), before.clone(), now))
        }
        _ => Ok(()),
    }
}

fn not_the_same_bars(run_id: RunId, before: String, now: String) -> TrainingError {
    let param = window_params::BARS_SHA256.to_owned();
    TrainingError::NotTheSame { run_id, param, before, now }
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
