//! One training, from bars to a registered version.
//!
//! Order of a finish: the model file is stored and hashed, then one transaction makes the run FINISHED,
//! registers the version, turns the parent `old` and writes the events. Before that transaction nothing but
//! the run itself can be seen of the training.

use std::sync::atomic::AtomicBool;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{Departure, Registration, RunId, hex_sha256};
use herdbook_market::{Ledger, Position};
use herdbook_ppo::Model;
use herdbook_store::{Finish, Metric, Session, UnfinishedEnd};

use crate::checkpoint::{self, Checkpoint};
use crate::evaluation::{Measured, hold, measure};
use crate::evidence::{Evidence, TEST_RETURNS};
use crate::journal::BEST;
use crate::learning::Learning;
use crate::patience::patiently;
use crate::pictures::Story;
use crate::plan::Plan;
use crate::record::ImprovementReport;
use crate::report::{Outcome, RunReport, TrainReport};
use crate::request::PreparedTraining;
use crate::resume::{PreparedResumption, PreparedRun, check_same_bars};
use crate::sweep::train_sweep;
use crate::{Observer, TrainingError, exports, heartbeat, npy, pictures};

/// Trains a model and registers it.
///
/// # Errors
/// Nothing is registered then. A run that had begun is FAILED, or KILLED after [`TrainingError::Cancelled`].
pub fn train(
    store: &Session,
    prepared: &PreparedTraining,
    observer: &mut dyn Observer,
    cancelled: &AtomicBool,
) -> Result<TrainReport, TrainingError> {
    let plan = Plan::new(store, prepared, observer)?;
    let run_id = store.start_run(&plan.run_start())?;
    in_run(store, &plan, &run_id, observer, |observer| {
        let training = Training { store, plan: &plan, run_id: &run_id };
        training.run(None, observer, cancelled)?.register(store, observer, cancelled)
    })
}

/// Goes on with a training from its last checkpoint, to the end that it would have had.
///
/// # Errors
/// As [`train`]. A run that may not go on stays as it is.
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
    let plan = Plan::new(store, &training, observer)?;
    plan.check_same_as(&run)?;
    store.resume_run(&run_id, &plan.request.model)?;
    in_run(store, &plan, &run_id, observer, |observer| {
        let training = Training { store, plan: &plan, run_id: &run_id };
        training.run(Some(checkpoint), observer, cancelled)?.register(store, observer, cancelled)
    })
    .map(Outcome::Run)
}

/// Keeps a run's lease alive while `work` goes on, and ends the run where it fails.
pub(crate) fn in_run<T>(
    store: &Session,
    plan: &Plan<'_>,
    run_id: &RunId,
    observer: &mut dyn Observer,
    work: impl FnOnce(&mut dyn Observer) -> Result<T, TrainingError>,
) -> Result<T, TrainingError> {
    heartbeat::during(store, run_id, || work(observer)).inspect_err(|error| {
        let end = match error {
            TrainingError::Cancelled { .. } => UnfinishedEnd::Killed,
            _ => UnfinishedEnd::Failed,
        };
        let (model, reason) = (&plan.request.model, error.to_string());
        // A second Ctrl-C ends the process: the lease then says that the run is dead.
        let ended = patiently(observer, &AtomicBool::new(false), || {
            store.end_run(run_id, model, end, &reason)
        });
        if let Err(second) = ended {
            observer.notice(&format!("run `{run_id}` could not be marked as ended: {second}"));
        }
    })
}

/// A run that is RUNNING.
pub(crate) struct Training<'a> {
    pub(crate) store: &'a Session,
    pub(crate) plan: &'a Plan<'a>,
    pub(crate) run_id: &'a RunId,
}

/// A training that came to its end, its model stored: what is left is one transaction.
pub(crate) struct Trained {
    pub(crate) report: RunReport,
    pub(crate) finish: Finish,
}

impl Training<'_> {
    /// Trains, measures, and stores the model.
    pub(crate) fn run(
        &self,
        checkpoint: Option<Checkpoint>,
        observer: &mut dyn Observer,
        cancelled: &AtomicBool,
    ) -> Result<Trained, TrainingError> {
        let Self { store, plan, run_id } = *self;
        let artifact = RunId::model_artifact(plan.timeframe());
        // Before hours of training, not after them: can the model be stored at all?
        store.prepare_artifact(run_id, &artifact)?;
        let mut learning = match checkpoint {
            Some(checkpoint) => Learning::restore(store, plan, run_id, checkpoint)?,
            None => Learning::begin(store, plan, run_id)?,
        };
        learning.run_to_end(observer, cancelled)?;
        let model = learning.model()?;
        let Learning { trainer, mut journal, .. } = learning;
        let trained = trainer.trained_timesteps();
        let mut measured = measure(plan.market, plan.costs, trainer.policy());
        measured.metrics.extend(journal.best());
        let mut keep = |path: &str, bytes: &[u8]| {
            patiently(observer, cancelled, || store.store_artifact(run_id, path, bytes))
        };
        keep(TEST_RETURNS, &npy::write(&measured.returns))?;
        for (path, bytes) in exports::of_model(trainer.policy(), plan.timeframe(), run_id) {
            keep(&path, &bytes)?;
        }
        let model_sha256 = keep(&artifact, &model)?;
        let steps_per_second = journal.steps_per_second(trained);
        let ledger = measured.ledger.clone();
        let report = self.report(trained, measured, steps_per_second);
        self.store_pictures(&report, &ledger, journal.learning(), observer);
        journal.finish(trained, &report.metrics, report.improvement.as_ref(), &report.baselines);
        Ok(self.trained(report, model_sha256, journal.take_pending()))
    }

    /// Stores pictures of the training. One that fails is announced: it is no reason to lose the model.
    fn store_pictures(
        &self,
        report: &RunReport,
        ledger: &Ledger,
        learning: &[(u64, f64)],
        observer: &mut dyn Observer,
    ) {
        let Self { store, plan, run_id } = *self;
        let test = &plan.market.split.test.bars;
        let story = Story {
            model: format!("{} ({})", plan.request.model, report.model_type),
            window: report.windows.test,
            honesty: report.honesty,
            cost_bps: report.cost_bps,
            tape: &plan.market.tape,
            first: test.start,
            ledger,
            held: &hold(&plan.market.tape, test.clone(), plan.costs, Position::Long),
        };
        let mut drawn = pictures::of_window(&story);
        drawn.push(pictures::of_learning(&story, learning));
        let beside = report.improvement.as_ref().filter(|beside| !beside.metrics.is_empty());
        drawn.extend(beside.map(|beside| pictures::of_improvement(&story, beside)));
        for (name, drawn) in drawn {
            let path = format!("pictures/{name}");
            let stored = drawn.and_then(|svg| {
                let stored = store.store_artifact(run_id, &path, svg.as_bytes());
                stored.map_err(|error| error.to_string())
            });
            if let Err(problem) = stored {
                observer.notice(&format!("the picture `{path}` is missing: {problem}"));
            }
        }
    }

    /// A training that came to its end in another process, as it would be had it been this one.
    pub(crate) fn recall(&self) -> Result<Trained, TrainingError> {
        let Self { store, plan, run_id } = *self;
        let bytes = store.read_artifact(run_id, &RunId::model_artifact(plan.timeframe()))?;
        let model = Model::from_zip(&bytes, "the run's model")?;
        let mut measured = measure(plan.market, plan.costs, &model.policy);
        let logged = store.run(run_id)?;
        let best = logged.metric(BEST).map(|value| (BEST.to_owned(), value));
        measured.metrics.extend(best);
        let trained = model.num_timesteps.saturating_sub(plan.previous_timesteps());
        let speed = logged.metric("training/steps_per_second").unwrap_or(0.0);
        let report = self.report(trained, measured, speed);
        Ok(self.trained(report, hex_sha256(&bytes), Vec::new()))
    }

    fn report(
        &self,
        trained_timesteps: u64,
        measured: Measured,
        steps_per_second: f64,
    ) -> RunReport {
        let Self { plan, run_id, .. } = *self;
        let Measured { metrics, performance, returns, .. } = measured;
        let (baselines, bars_per_year) = (plan.baselines(), plan.market.tape.bars_per_year);
        let terms = (plan.honesty, plan.request.cost_bps);
        RunReport {
            run_id: run_id.clone(),
            model_type: plan.origin.model_type(),
            timeframe: plan.timeframe(),
            parent: plan.parent.as_ref().map(|parent| parent.version.clone()),
            departure: plan.parent.as_ref().map_or(Departure::None, |parent| parent.departure),
            previous_timesteps: plan.previous_timesteps(),
            trained_timesteps,
            improvement: plan.improvement(&metrics),
            metrics,
            evidence: Evidence::of(&performance, &baselines, &returns, bars_per_year, terms),
            performance,
            baselines,
            honesty: plan.honesty,
            windows: plan.market.windows(),
            cost_bps: plan.request.cost_bps,
            seed: plan.request.seed,
            steps_per_second,
        }
    }

    fn trained(&self, report: RunReport, model_sha256: String, metrics: Vec<Metric>) -> Trained {
        let registration = Registration {
            run_id: report.run_id.clone(),
            name: self.plan.request.model.clone(),
            origin: self.plan.origin.clone(),
            trained_timesteps: report.trained_timesteps,
            honesty: report.honesty,
            model_sha256,
        };
        let run_tags = report.improvement.as_ref().map(basis_tag).unwrap_or_default();
        Trained { report, finish: Finish { registration, metrics, run_tags } }
    }
}

impl Trained {
    /// Ends the run and registers its model.
    pub(crate) fn register(
        self,
        store: &Session,
        observer: &mut dyn Observer,
        cancelled: &AtomicBool,
    ) -> Result<TrainReport, TrainingError> {
        let registered =
            patiently(observer, cancelled, || store.finish_and_register(&self.finish))?;
        clean_up(store, &self.report, observer);
        Ok(TrainReport::new(store, self.report, registered, observer))
    }
}

/// Checkpoints are of no use to a run that has ended well.
pub(crate) fn clean_up(store: &Session, report: &RunReport, observer: &mut dyn Observer) {
    if let Err(error) = checkpoint::remove_all(store, &report.run_id, report.timeframe) {
        observer.notice(&format!("checkpoints were left behind: {error}"));
    }
}

fn basis_tag(improvement: &ImprovementReport) -> Tags {
    Tags::from([(key::IMPROVEMENT_BASIS.to_owned(), improvement.basis.as_str().to_owned())])
}
