//! A training that passed every check, before anything is written: parent, honesty, origin, params.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    EnhancedFrom, Honesty, Origin, Symbol, Timeframe, data_fingerprint, window_params,
};
use herdbook_market::CostModel;
use herdbook_ppo::{Model, PpoConfig};
use herdbook_store::{RunStart, Session};
use serde_json::{Map, Value};

use crate::enhancement::{Coach, Lesson};
use crate::env::{ENVIRONMENT, EnvSpec, TradingEnv};
use crate::evaluation::measure;
use crate::market_data::MarketData;
use crate::parent::{Child, Parent, is_validation_trained_on, judge_child};
use crate::record::{self, ImprovementBasis, ImprovementReport};
use crate::report::Baselines;
use crate::request::{ContaminatedTest, EPISODE_BARS, PreparedTraining, TrainRequest};
use crate::{Observer, TrainingError};

/// What a training is, down to the last detail that does not change on its way.
pub(crate) struct Plan<'a> {
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

impl<'a> Plan<'a> {
    pub(crate) fn new(
        store: &Session,
        prepared: &'a PreparedTraining,
        observer: &mut dyn Observer,
    ) -> Result<Self, TrainingError> {
        let PreparedTraining { request, market, costs, n_threads } = prepared;
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
        if let Some(parent) = &parent
            && is_validation_trained_on(store, &windows, parent)?
        {
            observer.notice(
                "the validation window has bars that an ancestor was trained on: `evaluation/*` flatters this model \
                 beside others, and `best` goes by it; move it with `--validation-from`",
            );
        }
        if honesty == Honesty::Contaminated && request.contaminated == ContaminatedTest::Refused {
            return Err(TrainingError::Contaminated { symbol: windows.symbol, test: windows.test });
        }
        let config = config_of_child(&request.config, parent.as_ref())?;
        Ok(Self {
            origin: origin(request, parent.as_ref()),
            params: record::params(request, market, &config, &env),
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

    /// Training steps behind the parent.
    pub(crate) fn previous_timesteps(&self) -> u64 {
        self.parent.as_ref().map_or(0, |parent| parent.model.num_timesteps)
    }

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

    pub(crate) fn envs(&self) -> Vec<TradingEnv> {
        (0..self.config.n_envs)
            .map(|_| TradingEnv::new(Arc::clone(self.market), self.costs, EPISODE_BARS))
            .collect()
    }

    pub(crate) fn coach(&self, envs: &mut [TradingEnv]) -> Coach {
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

    /// Sets the child's metrics beside those of its parent on the same windows.
    pub(crate) fn improvement(&self, child: &BTreeMap<String, f64>) -> Option<ImprovementReport> {
        let parent = self.parent.as_ref()?;
        let basis = if parent.is_foreign {
            ImprovementBasis::Logged
        } else {
            ImprovementBasis::of(&parent.run.params, &self.params)
        };
        let values = match basis {
            ImprovementBasis::SameWindows | ImprovementBasis::Logged => parent.run.metrics.clone(),
            ImprovementBasis::Reevaluated => {
                measure(self.market, self.costs, &parent.model.policy).metrics
            }
        };
        Some(ImprovementReport::new(basis, &values, child))
    }

    pub(crate) fn baselines(&self) -> Baselines {
        Baselines::over(&self.market.tape, &self.market.split.test.bars, self.costs)
    }

    /// The file says what environment its model belongs to, and nothing of when, where or by whom it was made.
    pub(crate) fn describe(&self, model: &mut Model) {
        let request = self.request;
        model.extra.extend(description(&self.env, request.timeframe, &request.data.symbol));
    }
}

/// What a model file says under its key `herdbook`.
pub(crate) fn description(
    env: &EnvSpec,
    timeframe: Timeframe,
    symbol: &Symbol,
) -> Map<String, Value> {
    let environment = serde_json::to_value(env).expect("plain numbers and texts are JSON");
    let entries = [
        ("version", 1.into()),
        ("timeframe", timeframe.as_str().into()),
        ("symbol", symbol.as_str().into()),
        (ENVIRONMENT, environment),
    ];
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// A child has its parent's networks; the rest is the request's.
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
        return Err(TrainingError::OtherNetworks {
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
