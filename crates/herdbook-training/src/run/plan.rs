//! The plan of a training: its parent, honesty, origin and params, all checked before anything is written.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    EnhancedFrom, Honesty, Origin, RunId, Timeframe, data_fingerprint, window_params,
};
use herdbook_market::CostModel;
use herdbook_ppo::{Model, PpoConfig};
use herdbook_store::{RunRecord, RunStart, Store};

use crate::content::instrument::{identify, notes};
use crate::environment::env_spec::{EPISODE_BARS, EnvSpec, description};
use crate::environment::market_data::MarketData;
use crate::environment::trading_env::TradingEnv;
use crate::error::TrainingError;
use crate::models::parent::{ChildSpec, Parent, judge_child};
use crate::observer::Observer;
use crate::request::enhance_request::EnhanceRequest;
use crate::request::train_request::{ContaminatedTest, PreparedTraining, TrainRequest};
use crate::results::baselines::Baselines;
use crate::results::improvement::{ImprovementBasis, ImprovementReport};
use crate::results::measure::measure;
use crate::run::enhancement::Enhancer;
use crate::run::enhancement::setup::EnhancementSetup;
use crate::run::params::params;

/// A training that passed all checks. Nothing in it changes during the training.
pub(crate) struct TrainingPlan<'a> {
    pub(crate) request: &'a TrainRequest,
    pub(crate) market: &'a Arc<MarketData>,
    pub(crate) costs: CostModel,
    pub(crate) n_threads: NonZeroUsize,
    pub(crate) config: PpoConfig,
    pub(crate) env: EnvSpec,
    pub(crate) parent: Option<Parent>,
    pub(crate) honesty: Honesty,
    pub(crate) origin: Origin,
    pub(crate) params: BTreeMap<String, String>,
}

impl<'a> TrainingPlan<'a> {
    /// Chooses the parent and judges the honesty. Reads from the store but writes nothing.
    pub(crate) fn new(
        store: &Store,
        prepared: &'a PreparedTraining,
        observer: &mut dyn Observer,
    ) -> Result<Self, TrainingError> {
        let PreparedTraining { request, market, costs, n_threads } = prepared;
        let env = EnvSpec::new(request.cost_bps, EPISODE_BARS);
        let child = ChildSpec {
            timeframe: request.timeframe,
            symbol: &request.data.symbol,
            model: &request.model,
        };
        let parent = match &request.enhance {
            Some(enhance) => Some(Parent::choose(store, enhance, &child, observer)?),
            None => None,
        };
        let identity = identify(store, &request.data, &market.tape)?;
        for note in notes(store, identity, &request.data, &market.tape)? {
            observer.notice(&note);
        }
        let windows = market.windows();
        let known = judge_child(store, market, parent.as_ref())?;
        let honesty = known.honesty;
        if let Some(note) = known.note {
            observer.notice(note);
        }
        if let Some(recognised) = &known.recognised {
            observer.notice(&format!("an ancestor knows these bars: they are {recognised}"));
        }
        if known.is_validation_trained_on {
            observer.notice(
                "the validation window has bars that an ancestor was trained on: `evaluation/*`, which `best` compares, \
                 is biased in favour of this model; move the window with `--validation-from`",
            );
        }
        if honesty == Honesty::Contaminated && request.contaminated == ContaminatedTest::Refused {
            return Err(TrainingError::Contaminated {
                symbol: windows.symbol,
                test: windows.test,
                as_what: known.recognised,
            });
        }
        let config = config_of_child(&request.config, parent.as_ref())?;
        let is_adaptive = request.enhance.as_ref().is_some_and(EnhanceRequest::is_adaptive);
        if is_adaptive && request.config.ent_coef > 0.0 {
            observer.notice(&format!(
                "`adaptive` starts with `ent_coef` {} and changes it after each rollout to hold a target entropy: see the \
                 metric `training/ent_coef`",
                request.config.ent_coef
            ));
        }
        Ok(Self {
            origin: origin(request, parent.as_ref()),
            params: params(request, market, &config, &env),
            request,
            market,
            costs: *costs,
            n_threads: *n_threads,
            config,
            env,
            parent,
            honesty,
        })
    }

    pub(crate) fn timeframe(&self) -> Timeframe {
        self.request.timeframe
    }

    /// Timesteps of the parent, including its ancestors.
    pub(crate) fn previous_timesteps(&self) -> u64 {
        self.parent.as_ref().map_or(0, |parent| parent.model.num_timesteps)
    }

    /// The run to start: experiment, model, origin, params and tags.
    pub(crate) fn run_start(&self) -> RunStart {
        let fingerprint =
            data_fingerprint(self.timeframe(), self.origin.model_type(), &self.params);
        RunStart {
            experiment: self.request.experiment.clone(),
            model: self.request.model.clone(),
            origin: self.origin.clone(),
            params: self.params.clone(),
            tags: Tags::from([
                (key::HONESTY.to_owned(), self.honesty.to_string()),
                (window_params::FINGERPRINT.to_owned(), fingerprint),
            ]),
            user_tags: Tags::new(),
            name: None,
        }
    }

    /// The training environments, one for each of `n_envs`.
    pub(crate) fn envs(&self) -> Vec<TradingEnv> {
        (0..self.config.n_envs)
            .map(|_| TradingEnv::new(Arc::clone(self.market), self.costs, EPISODE_BARS))
            .collect()
    }

    /// Starts the enhancement and prepares the environments.
    pub(crate) fn enhancer(&self, envs: &mut [TradingEnv]) -> Enhancer {
        let (Some(parent), Some(enhanced)) = (&self.parent, &self.origin.enhanced) else {
            return Enhancer::Plain;
        };
        let setup = EnhancementSetup {
            market: self.market,
            costs: self.costs,
            episode_bars: EPISODE_BARS,
            rollout_len: self.config.rollout_len() as u64,
            timesteps: self.request.timesteps,
            ent_coef: self.config.ent_coef,
            parent: &parent.model.policy,
        };
        Enhancer::new(enhanced.enhancement, &setup, envs)
    }

    /// Compares the child's metrics with those of its parent on the same windows.
    pub(crate) fn improvement(&self, child: &BTreeMap<String, f64>) -> Option<ImprovementReport> {
        let parent = self.parent.as_ref()?;
        let basis = if parent.is_foreign {
            ImprovementBasis::Logged
        } else {
            ImprovementBasis::of(parent.run.params_for_rules(), &self.params)
        };
        let values = match basis {
            ImprovementBasis::SameWindows | ImprovementBasis::Logged => {
                parent.run.metrics_for_rules()
            }
            ImprovementBasis::Reevaluated => {
                measure(self.market, self.costs, &parent.model.policy).metrics
            }
        };
        Some(ImprovementReport::new(basis, &values, child))
    }

    /// The baselines on the test window.
    pub(crate) fn baselines(&self) -> Baselines {
        Baselines::over(&self.market.tape, &self.market.split.test.bars, self.costs)
    }

    /// Adds the section `herdbook` to the model file.
    pub(crate) fn describe(&self, model: &mut Model) {
        let request = self.request;
        model.extra.extend(description(&self.env, request.timeframe, &request.data.symbol));
    }

    /// Checks that a run is resumed with the params it was started with.
    pub(crate) fn check_same_as(&self, run: &RunRecord) -> Result<(), TrainingError> {
        for (key, now) in &self.params {
            let before = run.params.get(key);
            // Older builds did not record it; the bars were compared by their hash.
            if before.is_none() && key == window_params::CLOSES_SHA256 {
                continue;
            }
            if before != Some(now) {
                return Err(TrainingError::ResumeMismatch {
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

/// The requested configuration, with the networks of the parent.
fn config_of_child(
    config: &PpoConfig,
    parent: Option<&Parent>,
) -> Result<PpoConfig, TrainingError> {
    let mut config = config.clone();
    let Some(parent) = parent else { return Ok(config) };
    let asked = (config.net_arch, config.activation);
    config.net_arch = parent.model.policy.net_arch().clone();
    config.activation = parent.model.policy.activation();
    let default = PpoConfig::default();
    let is_given = asked != (default.net_arch, default.activation);
    if is_given && asked != (config.net_arch.clone(), config.activation) {
        return Err(TrainingError::NetworkMismatch {
            key: parent.version.key.clone(),
            parents: format!("{} {}", config.net_arch, config.activation),
            asked: format!("{} {}", asked.0, asked.1),
        });
    }
    Ok(config)
}

fn origin(request: &TrainRequest, parent: Option<&Parent>) -> Origin {
    let enhanced = request.enhance.as_ref().zip(parent).map(|(enhance, parent)| EnhancedFrom {
        enhancement: enhance.enhancement,
        parent: parent.run.run_id.clone(),
        previous_timesteps: parent.model.num_timesteps,
    });
    Origin { timeframe: request.timeframe, enhanced }
}

/// Checks that a run is resumed on the bars it was started on. Other bars cause further differences, so this is checked
/// first.
pub(crate) fn check_same_bars(run: &RunRecord, market: &MarketData) -> Result<(), TrainingError> {
    let now = market.tape.bars.sha256();
    match run.params.get(window_params::BARS_SHA256) {
        Some(before) if *before != now => {
            Err(not_the_same_bars(run.run_id.clone(), before.clone(), now))
        }
        _ => Ok(()),
    }
}

pub(crate) fn not_the_same_bars(run_id: RunId, before: String, now: String) -> TrainingError {
    let param = window_params::BARS_SHA256.to_owned();
    TrainingError::ResumeMismatch { run_id, param, before, now }
}
