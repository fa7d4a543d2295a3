//! One training, from bars to a registered version.
//!
//! At the end the model file is stored and hashed; then one transaction sets the run to FINISHED, registers the version,
//! marks the parent as `old` and appends the events. Before that transaction, readers see only the run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{Departure, Registration, RunId, TestBasis, Windows, hex_sha256};
use herdbook_market::{Ledger, Position};
use herdbook_ppo::{Model, Policy};
use herdbook_store::{Finish, Measured, Metric, Session, StoreError, UnfinishedEnd};

use crate::content::stored_closes::OF_TRAINING;
use crate::content::tested::{Tested, with_all_compared};
use crate::environment::market_data::Tape;
use crate::error::TrainingError;
use crate::models::mlflow_files;
use crate::observer::Observer;
use crate::request::train_request::{PreparedTraining, RegisteredPolicy};
use crate::results::details::measured::{Details, Subject};
use crate::results::details::rivals::choice::ChosenRules;
use crate::results::details::stored::{DETAILS, StoredDetails};
use crate::results::details::windows::{WindowKind, before_test};
use crate::results::evidence::{Evidence, TEST_RETURNS};
use crate::results::improvement::ImprovementReport;
use crate::results::measure::{Measurement, hold_position, measure};
use crate::results::npy;
use crate::results::page::of_training::{PAGE, page_of_training};
use crate::results::pictures;
use crate::results::pictures::input::PictureInput;
use crate::results::report::{RunReport, TrainReport};
use crate::run::checkpoint;
use crate::run::checkpoint::Checkpoint;
use crate::run::heartbeat;
use crate::run::metric_log::{BEST, LAST, REGISTERED_AT};
use crate::run::plan::TrainingPlan;
use crate::run::retry::retry_while_unavailable;
use crate::run::training_loop::TrainingLoop;

/// Trains a model and registers it.
///
/// # Errors
/// Any [`TrainingError`]; nothing is registered then. A run that was started is set to FAILED, or to KILLED after
/// [`TrainingError::Cancelled`].
pub fn train(
    store: &Session,
    prepared: &PreparedTraining,
    observer: &mut dyn Observer,
    cancelled: &AtomicBool,
) -> Result<TrainReport, TrainingError> {
    let plan = TrainingPlan::new(store, prepared, observer)?;
    let run_id = store.start_run(&plan.run_start())?;
    with_lease(store, &plan, &run_id, observer, |observer| {
        let training = ActiveRun { store, plan: &plan, run_id: &run_id };
        training.run(None, observer, cancelled)?.register(store, observer, cancelled)
    })
}

/// Refreshes the lease of a run while `work` runs. If `work` fails, the run is set to FAILED or KILLED.
pub(crate) fn with_lease<T>(
    store: &Session,
    plan: &TrainingPlan<'_>,
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
        // Retried without regard to `cancelled`: a second Ctrl-C ends the process, and then the lease expires.
        let ended = retry_while_unavailable(observer, &AtomicBool::new(false), || {
            store.end_run(run_id, model, end, &reason)
        });
        if let Err(second) = ended {
            observer
                .notice(&format!("the status of run `{run_id}` could not be updated: {second}"));
        }
    })
}

/// A run in status RUNNING, with what is needed to train it.
pub(crate) struct ActiveRun<'a> {
    pub(crate) store: &'a Session,
    pub(crate) plan: &'a TrainingPlan<'a>,
    pub(crate) run_id: &'a RunId,
}

/// A training whose model is stored but whose run is not finished yet.
pub(crate) struct TrainedRun {
    pub(crate) report: RunReport,
    pub(crate) finish: Finish,
    tape: Arc<Tape>,
}

impl ActiveRun<'_> {
    /// Trains, measures the policy, and stores the model and the files derived from it.
    pub(crate) fn run(
        &self,
        checkpoint: Option<Checkpoint>,
        observer: &mut dyn Observer,
        cancelled: &AtomicBool,
    ) -> Result<TrainedRun, TrainingError> {
        let Self { store, plan, run_id } = *self;
        let artifact = RunId::model_artifact(plan.timeframe());
        // Fail before the training rather than after it if artifacts cannot be stored.
        store.prepare_artifact(run_id, &artifact)?;
        let closes = &plan.market.tape.closes;
        retry_while_unavailable(observer, cancelled, || {
            store.store_artifact(run_id, OF_TRAINING, closes.bytes())
        })?;
        let mut training_loop = match checkpoint {
            Some(checkpoint) => TrainingLoop::restore(store, plan, run_id, checkpoint)?,
            None => TrainingLoop::begin(store, plan, run_id)?,
        };
        training_loop.run_to_end(observer, cancelled)?;
        let (model, policy) = training_loop.model_to_register()?;
        let TrainingLoop { trainer, mut metric_log, .. } = training_loop;
        let trained = trainer.trained_timesteps();
        let register = plan.request.register;
        let registered_at = match register {
            RegisteredPolicy::Best => metric_log.best_timesteps(),
            RegisteredPolicy::Last => None,
        };
        let mut measured = measure(plan.market, plan.costs, &policy);
        measured.metrics.extend(metric_log.best_and_last(register));
        let mut store_file = |path: &str, bytes: &[u8]| {
            retry_while_unavailable(observer, cancelled, || {
                store.store_artifact(run_id, path, bytes)
            })
        };
        let returns = npy::write(&measured.returns);
        store_file(TEST_RETURNS, &returns)?;
        for (path, bytes) in mlflow_files::of_model(&policy, plan.timeframe(), run_id) {
            store_file(&path, &bytes)?;
        }
        let model_sha256 = store_file(&artifact, &model)?;
        let steps_per_second = metric_log.steps_per_second(trained);
        let ledger = measured.ledger.clone();
        let report = self.report(trained, measured, &policy, steps_per_second);
        let details = StoredDetails::new(report.details.clone(), report.rules.clone());
        let details_sha256 = store_file(DETAILS, &details.to_bytes())?;
        let mut files = self.store_pictures(&report, &ledger, metric_log.evaluations(), observer);
        files.insert(DETAILS.to_owned(), details_sha256);
        files.extend(self.files_of_evidence(&returns));
        let measured = self.measured(&report, registered_at, files);
        metric_log.finish(trained, &measured.metrics);
        Ok(self.trained(report, model_sha256, metric_log.take_pending(), measured))
    }

    /// Draws and stores pictures of the training, and a page with all of them. Failures are only reported to the observer.
    /// Returns the SHA-256 of each stored file by its path.
    fn store_pictures(
        &self,
        report: &RunReport,
        ledger: &Ledger,
        evaluations: &[(u64, f64)],
        observer: &mut dyn Observer,
    ) -> BTreeMap<String, String> {
        let Self { store, plan, run_id } = *self;
        let test = &plan.market.split.test.bars;
        let input = PictureInput {
            model: format!("{} ({})", plan.request.model, report.model_type),
            window: report.windows.test,
            honesty: report.honesty,
            cost_bps: report.cost_bps,
            tape: &plan.market.tape,
            first: test.start,
            ledger,
            held: &self.held(),
        };
        let mut drawn = pictures::of_window(&input);
        drawn.push(pictures::of_learning(&input, evaluations));
        let beside = report.improvement.as_ref().filter(|beside| !beside.metrics.is_empty());
        drawn.extend(beside.map(|beside| pictures::of_improvement(&input, beside)));
        let page = page_of_training(report, &plan.request.model, &drawn).to_html();
        let pictures = drawn.into_iter().map(|(name, drawn)| (format!("pictures/{name}"), drawn));
        let mut files = BTreeMap::new();
        for (path, drawn) in pictures.chain([(PAGE.to_owned(), Ok(page))]) {
            let stored = drawn.and_then(|content| {
                let stored = store.store_artifact(run_id, &path, content.as_bytes());
                stored.map_err(|error| error.to_string())
            });
            match stored {
                Ok(sha256) => drop(files.insert(path, sha256)),
                Err(problem) => {
                    observer.notice(&format!("the file `{path}` could not be stored: {problem}"));
                }
            }
        }
        files
    }

    /// The account of buy-and-hold over the test window.
    fn held(&self) -> Ledger {
        let Self { plan, .. } = *self;
        let test = plan.market.split.test.bars.clone();
        hold_position(&plan.market.tape, test, plan.costs, Position::Long)
    }

    /// The result of a run that is FINISHED already, measured again from its stored model.
    pub(crate) fn recall(&self) -> Result<TrainedRun, TrainingError> {
        let Self { store, plan, run_id } = *self;
        let artifact = RunId::model_artifact(plan.timeframe());
        let bytes = store.read_artifact(run_id, &artifact)?;
        let sealed = store.run_result(run_id)?;
        if let Some(sealed) = &sealed
            && sealed.model_sha256 != hex_sha256(&bytes)
        {
            let what = format!("the file `{artifact}` of run `{run_id}`");
            let problem = "it was altered after the run had ended; run `herdbook verify`";
            return Err(StoreError::BrokenRecord { what, problem: problem.to_owned() }.into());
        }
        let model = Model::from_zip(&bytes, "the model of the run")?;
        let mut measured = measure(plan.market, plan.costs, &model.policy);
        let logged = store.run(run_id)?;
        // Older builds sealed no result.
        let known = |name: &str| match &sealed {
            Some(sealed) => sealed.metrics.get(name).copied(),
            None => logged.metric(name),
        };
        let kept = [BEST, LAST].into_iter();
        let kept = kept.filter_map(|name| Some((name.to_owned(), known(name)?)));
        measured.metrics.extend(kept);
        let returns = npy::write(&measured.returns);
        let trained = model.num_timesteps.saturating_sub(plan.previous_timesteps());
        let speed = logged.metric("training/steps_per_second").unwrap_or(0.0);
        let report = self.report(trained, measured, &model.policy, speed);
        let registered_at = known(REGISTERED_AT).map(|timesteps| timesteps as u64);
        let mut files = sealed.map(|sealed| sealed.test.files).unwrap_or_default();
        files.extend(self.files_of_evidence(&returns));
        let measured = self.measured(&report, registered_at, files);
        Ok(self.trained(report, hex_sha256(&bytes), Vec::new(), measured))
    }

    fn report(
        &self,
        trained_timesteps: u64,
        measured: Measurement,
        policy: &Policy,
        steps_per_second: f64,
    ) -> RunReport {
        let Self { plan, run_id, .. } = *self;
        let Measurement { metrics, performance, ledger, .. } = measured;
        let (baselines, bars_per_year) = (plan.baselines(), plan.market.tape.bars_per_year);
        let held = self.held();
        let terms = (plan.honesty, plan.request.cost_bps);
        let rules = ChosenRules::choose(plan.market, plan.costs);
        let subject = Subject {
            kind: WindowKind::Test,
            tape: &plan.market.tape,
            bars: &plan.market.split.test.bars,
            costs: plan.costs,
            ledger: &ledger,
            held: &held,
            honesty: plan.honesty,
        };
        let before = before_test(plan.market, plan.costs, policy);
        RunReport {
            details: Details::of(subject, before, &rules),
            rules,
            run_id: run_id.clone(),
            model_type: plan.origin.model_type(),
            timeframe: plan.timeframe(),
            parent: plan.parent.as_ref().map(|parent| parent.version.clone()),
            departure: plan.parent.as_ref().map_or(Departure::None, |parent| parent.departure),
            previous_timesteps: plan.previous_timesteps(),
            trained_timesteps,
            improvement: plan.improvement(&metrics),
            metrics,
            evidence: Evidence::of((&ledger, &held), bars_per_year, terms),
            performance,
            baselines,
            honesty: plan.honesty,
            windows: plan.market.windows(),
            cost_bps: plan.request.cost_bps,
            seed: plan.request.seed,
            steps_per_second,
        }
    }

    /// The SHA-256 of the closes and of the file of the test's returns, by path.
    fn files_of_evidence(&self, returns: &[u8]) -> [(String, String); 2] {
        let closes = self.plan.market.tape.closes.sha256();
        let files = [(TEST_RETURNS, hex_sha256(returns)), (OF_TRAINING, closes.to_owned())];
        files.map(|(path, sha256)| (path.to_owned(), sha256))
    }

    /// What is known of the training without the records: any program can write to those. `registered_at` are the timesteps
    /// behind the registered policy if that is the best one, `files` the SHA-256 of the stored files by path.
    fn measured(
        &self,
        report: &RunReport,
        registered_at: Option<u64>,
        files: BTreeMap<String, String>,
    ) -> Measured {
        let mut metrics = report.metrics.clone();
        metrics.extend(report.baselines.to_metrics());
        metrics.extend(report.details.to_metrics());
        metrics.extend(report.improvement.iter().flat_map(ImprovementReport::to_metrics));
        let (previous, trained) = (report.previous_timesteps, report.trained_timesteps);
        let steps = [
            ("previous_timesteps", previous),
            ("current_run_timesteps", trained),
            ("total_timesteps", previous.saturating_add(trained)),
        ];
        metrics.extend(steps.map(|(name, steps)| (name.to_owned(), steps as f64)));
        metrics.extend(registered_at.map(|at| (REGISTERED_AT.to_owned(), at as f64)));
        let test = TestBasis {
            files,
            figures: Some(report.evidence.figures.clone()),
            ..TestBasis::default()
        };
        Measured { params: self.plan.params.clone(), metrics, test: Some(test) }
    }

    fn trained(
        &self,
        report: RunReport,
        model_sha256: String,
        metrics: Vec<Metric>,
        measured: Measured,
    ) -> TrainedRun {
        let registration = Registration {
            run_id: report.run_id.clone(),
            name: self.plan.request.model.clone(),
            origin: self.plan.origin.clone(),
            trained_timesteps: report.trained_timesteps,
            honesty: report.honesty,
            model_sha256,
        };
        let run_tags = report.improvement.as_ref().map(basis_tag).unwrap_or_default();
        let finish = Finish { registration, metrics, run_tags, measured };
        TrainedRun { report, finish, tape: Arc::clone(&self.plan.market.tape) }
    }
}

impl TrainedRun {
    /// Finishes the run and registers its model in one transaction.
    pub(crate) fn register(
        mut self,
        store: &Session,
        observer: &mut dyn Observer,
        cancelled: &AtomicBool,
    ) -> Result<TrainReport, TrainingError> {
        let registered =
            self.sealing(store, observer, cancelled, |finish| store.finish_and_register(finish))?;
        clean_up(store, &self.report, observer);
        Ok(TrainReport::new(store, self.report, registered, observer))
    }
}

impl TrainedRun {
    /// Runs an act that seals the result, with a result that names all evaluations with bars of its test. Retries as
    /// [`retry_while_unavailable`] does.
    pub(crate) fn sealing<T>(
        &mut self,
        store: &Session,
        observer: &mut dyn Observer,
        cancelled: &AtomicBool,
        act: impl Fn(&Finish) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let Self { report, finish, tape } = self;
        let closes = Some(tape.closes.closes());
        let Windows { symbol, test: window, .. } = &report.windows;
        let tested = Tested { symbol, window: *window, closes };
        retry_while_unavailable(observer, cancelled, || {
            let mut basis = finish.measured.test.clone().unwrap_or_default();
            with_all_compared(store, &tested, &mut basis, |basis| {
                finish.measured.test = Some(basis.clone());
                act(finish)
            })
        })
    }
}

/// Removes the checkpoints of a finished run. Failures are only reported to the observer.
pub(crate) fn clean_up(store: &Session, report: &RunReport, observer: &mut dyn Observer) {
    if let Err(error) = checkpoint::remove_all(store, &report.run_id, report.timeframe) {
        observer.notice(&format!("checkpoints could not be removed: {error}"));
    }
}

fn basis_tag(improvement: &ImprovementReport) -> Tags {
    Tags::from([(key::IMPROVEMENT_BASIS.to_owned(), improvement.basis.as_str().to_owned())])
}
