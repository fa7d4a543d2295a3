//! One training, from bars to a registered version.
//!
//! Order of a finish: the model file is stored and hashed, then one transaction makes the run FINISHED,
//! registers the version, turns the parent `old` and writes the events. Before that transaction nothing but
//! the run itself can be seen of the training.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    Departure, EnhancedFrom, ExperimentName, Honesty, ModelName, Origin, Registration, RunId,
    Timeframe, data_fingerprint, window_params,
};
use herdbook_market::{Boundaries, CostModel};
use herdbook_ppo::{Model, PpoConfig, Trainer};
use herdbook_store::{Finish, RunStart, Store, UnfinishedEnd};

use crate::enhancement::{Coach, Lesson};
use crate::env::{ENVIRONMENT, EnvSpec, OBS_LEN, TradingEnv};
use crate::evaluation::measure;
use crate::journal::Journal;
use crate::market_data::{DataSource, MarketData};
use crate::parent::{Child, EnhanceRequest, Parent, judge_child};
use crate::patience::patiently;
use crate::record::{self, ImprovementBasis, ImprovementReport};
use crate::report::TrainReport;
use crate::{Observer, TrainingError, heartbeat};

/// Asks for one training.
#[derive(Debug, Clone)]
pub struct TrainRequest {
    /// Length of one bar.
    pub timeframe: Timeframe,
    /// The bars.
    pub data: DataSource,
    /// Where windows start, if not by the default shares.
    pub boundaries: Boundaries,
    /// Timesteps; rounded up to whole rollouts.
    pub timesteps: u64,
    /// Seed of everything random.
    pub seed: u64,
    /// Basis points of traded notional charged per side.
    pub cost_bps: f64,
    /// Hyperparameters. A child has its parent's networks, whatever is said here.
    pub config: PpoConfig,
    /// The registered model to join.
    pub model: ModelName,
    /// The experiment.
    pub experiment: ExperimentName,
    /// The parent; `None` trains a base model.
    pub enhance: Option<EnhanceRequest>,
    /// Whether a test window that was seen by an ancestor is allowed, and marked.
    pub contaminated: ContaminatedTest,
}

/// What to do with a test window that holds bars seen in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContaminatedTest {
    /// Refuse to train.
    Refused,
    /// Train, and mark the model as contaminated.
    Marked,
}

/// Bars of a training episode (DESIGN §5).
pub const EPISODE_BARS: usize = 512;

impl TrainRequest {
    /// Checks everything that can be checked without the records: hyperparameters, costs, bars, windows.
    pub fn prepare(self) -> Result<PreparedTraining, TrainingError> {
        if self.timesteps == 0 {
            return Err(TrainingError::NoTimesteps);
        }
        self.config.validate()?;
        self.config.check_rollout(OBS_LEN)?;
        Ok(PreparedTraining {
            costs: CostModel::from_bps(self.cost_bps)?,
            market: Arc::new(MarketData::prepare(&self.data, self.timeframe, self.boundaries)?),
            request: self,
        })
    }
}

/// A training whose input is sound.
#[derive(Debug)]
pub struct PreparedTraining {
    request: TrainRequest,
    market: Arc<MarketData>,
    costs: CostModel,
}

impl PreparedTraining {
    /// What the bars are and how they were read.
    pub fn market(&self) -> &MarketData {
        &self.market
    }
}

/// Trains a model and registers it.
///
/// # Errors
/// Nothing is registered then. A run that had begun is FAILED, or KILLED after [`TrainingError::Cancelled`].
pub fn train(
    store: &Store,
    prepared: &PreparedTraining,
    observer: &mut dyn Observer,
    cancelled: &AtomicBool,
) -> Result<TrainReport, TrainingError> {
    let training = Training::plan(store, prepared, observer)?;
    let run_id = store.start_run(&training.run_start())?;
    let outcome = heartbeat::during(store, &run_id, || training.run(&run_id, observer, cancelled));
    outcome.inspect_err(|error| {
        let end = match error {
            TrainingError::Cancelled { .. } => UnfinishedEnd::Killed,
            _ => UnfinishedEnd::Failed,
        };
        let model = &prepared.request.model;
        let reason = error.to_string();
        // A second Ctrl-C ends the process: the lease then says that the run is dead.
        let ended = patiently(observer, &AtomicBool::new(false), || {
            store.end_run(&run_id, model, end, &reason)
        });
        if let Err(second) = ended {
            observer.notice(&format!("run `{run_id}` could not be marked as ended: {second}"));
        }
    })
}

/// A training that passed every check, before it begins.
struct Training<'a> {
    store: &'a Store,
    request: &'a TrainRequest,
    market: &'a Arc<MarketData>,
    costs: CostModel,
    config: PpoConfig,
    env: EnvSpec,
    parent: Option<Parent>,
    honesty: Honesty,
    origin: Origin,
    params: BTreeMap<String, String>,
}

impl<'a> Training<'a> {
    fn plan(
        store: &'a Store,
        prepared: &'a PreparedTraining,
        observer: &mut dyn Observer,
    ) -> Result<Self, TrainingError> {
        let PreparedTraining { request, market, costs } = prepared;
        let env = EnvSpec::new(request.cost_bps, EPISODE_BARS);
        let child = Child {
            timeframe: request.timeframe,
            symbol: &request.data.symbol,
            model: &request.model,
        };
        let parent = match &request.enhance {
            Some(enhance) => Some(Parent::choose(store, enhance, &child, observer)?),
            None => None,
        };
        let windows = market.windows();
        let honesty = judge_child(store, &windows, parent.as_ref())?;
        if honesty == Honesty::Contaminated && request.contaminated == ContaminatedTest::Refused {
            return Err(TrainingError::Contaminated { symbol: windows.symbol, test: windows.test });
        }
        let config = config_of_child(&request.config, parent.as_ref());
        Ok(Self {
            origin: origin(request, parent.as_ref()),
            params: record::params(request, market, &config, &env),
            store,
            request,
            market,
            costs: *costs,
            config,
            env,
            parent,
            honesty,
        })
    }

    fn run_start(&self) -> RunStart {
        RunStart {
            experiment: self.request.experiment.clone(),
            model: self.request.model.clone(),
            origin: self.origin.clone(),
            params: self.params.clone(),
            tags: Tags::from([
                (key::HONESTY.to_owned(), self.honesty.to_string()),
                (window_params::FINGERPRINT.to_owned(), self.fingerprint()),
            ]),
        }
    }

    fn run(
        &self,
        run_id: &RunId,
        observer: &mut dyn Observer,
        cancelled: &AtomicBool,
    ) -> Result<TrainReport, TrainingError> {
        let previous = self.parent.as_ref().map_or(0, |parent| parent.model.num_timesteps);
        let artifact = RunId::model_artifact(self.request.timeframe);
        // Before hours of training, not after them: can the model be stored at all?
        self.store.prepare_artifact(run_id, &artifact)?;
        let mut journal = Journal::new(self.store, run_id, previous);
        let trainer = self.learn(run_id, &mut journal, observer, cancelled)?;
        let (mut metrics, performance) = measure(self.market, self.costs, trainer.policy());
        metrics.extend(journal.best());
        let improvement = self.improvement(&metrics);

        let trained = trainer.trained_timesteps();
        let baselines = self.baselines();
        journal.finish(trained, &metrics, improvement.as_ref(), &baselines);
        let mut model = trainer.model();
        self.describe(&mut model);
        let bytes = model.to_zip()?;
        let model_sha256 = self.store.store_artifact(run_id, &artifact, &bytes)?;
        let finish = Finish {
            registration: Registration {
                run_id: run_id.clone(),
                name: self.request.model.clone(),
                origin: self.origin.clone(),
                trained_timesteps: trained,
                honesty: self.honesty,
                model_sha256,
            },
            metrics: journal.take_pending(),
            run_tags: improvement.as_ref().map(basis_tag).unwrap_or_default(),
        };
        let registered =
            patiently(observer, cancelled, || self.store.finish_and_register(&finish))?;
        Ok(TrainReport {
            run_id: run_id.clone(),
            registered,
            model_type: self.origin.model_type(),
            timeframe: self.request.timeframe,
            parent: self.parent.as_ref().map(|parent| parent.version.clone()),
            departure: self.parent.as_ref().map_or(Departure::None, |parent| parent.departure),
            previous_timesteps: previous,
            trained_timesteps: trained,
            metrics,
            performance,
            baselines,
            improvement,
            honesty: self.honesty,
            windows: self.market.windows(),
            cost_bps: self.request.cost_bps,
            seed: self.request.seed,
            steps_per_second: journal.steps_per_second(trained),
        })
    }

    fn learn(
        &self,
        run_id: &RunId,
        journal: &mut Journal<'_>,
        observer: &mut dyn Observer,
        cancelled: &AtomicBool,
    ) -> Result<Trainer<TradingEnv>, TrainingError> {
        let mut envs: Vec<TradingEnv> = (0..self.config.n_envs)
            .map(|_| TradingEnv::new(Arc::clone(self.market), self.costs, EPISODE_BARS))
            .collect();
        let mut coach = self.coach(&mut envs);
        let seed = self.request.seed;
        let mut trainer = match &self.parent {
            Some(parent) => Trainer::resume(parent.model.clone(), self.config.clone(), envs, seed)?,
            None => Trainer::new(self.config.clone(), envs, seed)?,
        };
        let target = self.request.timesteps;
        while trainer.trained_timesteps() < target {
            if cancelled.load(Ordering::Relaxed) {
                return Err(TrainingError::Cancelled {
                    run_id: run_id.clone(),
                    timesteps: trainer.trained_timesteps(),
                });
            }
            let stats = trainer.iterate();
            coach.after_iteration(&mut trainer, &stats)?;
            let trained = trainer.trained_timesteps();
            journal.iteration(trained, &stats, &coach.metrics());
            if journal.evaluation_is_due(trained, target) {
                journal.evaluate(trained, self.market, self.costs, trainer.policy());
            }
            journal.flush_if_due()?;
            observer.progress(&journal.progress(trained, target, &stats));
        }
        Ok(trainer)
    }

    fn coach(&self, envs: &mut [TradingEnv]) -> Coach {
        let (Some(parent), Some(enhanced)) = (&self.parent, &self.origin.enhanced) else {
            return Coach::Plain;
        };
        let lesson = Lesson {
            market: self.market,
            costs: self.costs,
            episode_bars: EPISODE_BARS,
            rollout_len: self.config.rollout_len() as u64,
            timesteps: self.request.timesteps,
            parent: &parent.model.policy,
        };
        Coach::new(enhanced.enhancement, &lesson, envs)
    }

    fn improvement(&self, child: &BTreeMap<String, f64>) -> Option<ImprovementReport> {
        let parent = self.parent.as_ref()?;
        let basis = ImprovementBasis::of(&parent.run.params, &self.params);
        let values = match basis {
            ImprovementBasis::SameWindows => parent.run.metrics.clone(),
            ImprovementBasis::Reevaluated => {
                measure(self.market, self.costs, &parent.model.policy).0
            }
        };
        Some(ImprovementReport::new(basis, &values, child))
    }

    /// The file says what environment its model belongs to, and nothing of when, where or by whom it was made.
    fn describe(&self, model: &mut Model) {
        let environment =
            serde_json::to_value(&self.env).expect("plain numbers and texts are JSON");
        model.extra.insert("version".to_owned(), 1.into());
        model.extra.insert("timeframe".to_owned(), self.request.timeframe.as_str().into());
        model.extra.insert("symbol".to_owned(), self.request.data.symbol.as_str().into());
        model.extra.insert(ENVIRONMENT.to_owned(), environment);
    }

    fn fingerprint(&self) -> String {
        data_fingerprint(self.request.timeframe, self.origin.model_type(), &self.params)
    }

    fn baselines(&self) -> crate::report::Baselines {
        crate::report::Baselines::over(&self.market.tape, &self.market.split.test.bars, self.costs)
    }
}

/// A child has its parent's networks; the rest is the request's.
fn config_of_child(config: &PpoConfig, parent: Option<&Parent>) -> PpoConfig {
    let mut config = config.clone();
    if let Some(parent) = parent {
        config.net_arch = parent.model.policy.net_arch().clone();
        config.activation = parent.model.policy.activation();
    }
    config
}

fn origin(request: &TrainRequest, parent: Option<&Parent>) -> Origin {
    let enhanced = request.enhance.as_ref().zip(parent).map(|(enhance, parent)| EnhancedFrom {
        enhancement: enhance.enhancement,
        parent: parent.run.run_id.clone(),
        previous_timesteps: parent.model.num_timesteps,
    });
    Origin { timeframe: request.timeframe, enhanced }
}

fn basis_tag(improvement: &ImprovementReport) -> Tags {
    Tags::from([(key::IMPROVEMENT_BASIS.to_owned(), improvement.basis.as_str().to_owned())])
}
