//! Bars, windows and costs from which environments are made for trainers other than ours.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use herdbook_domain::Timeframe;
use herdbook_market::{Boundaries, CostModel};
use herdbook_ppo::{Model, Policy};
use serde_json::{Map, Value};

use crate::environment::env_spec::{EPISODE_BARS, EnvSpec, description};
use crate::environment::market_data::{DataSource, MarketData};
use crate::environment::params::market_params;
use crate::environment::trading_env::{TradingEnv, training_bars};
use crate::error::TrainingError;
use crate::results::measure::{measure, score_episodes};

/// What environments play on.
#[derive(Debug, Clone)]
pub struct EnvFactory {
    market: Arc<MarketData>,
    costs: CostModel,
    spec: EnvSpec,
    episode_bars: usize,
}

/// The part of the bars that an environment plays on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvWindow {
    /// The training window; episodes start at random, as in a training.
    Train,
    /// The validation window, from its first bar on.
    Validation,
    /// The test window, from its first bar on.
    Test,
    /// Every bar with features, from the first on.
    All,
}

impl std::str::FromStr for EnvWindow {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "train" => Ok(Self::Train),
            "validation" => Ok(Self::Validation),
            "test" => Ok(Self::Test),
            "all" => Ok(Self::All),
            _ => Err(format!(
                "`{text}` is no window: there are `train`, `validation`, `test` and `all`"
            )),
        }
    }
}

impl EnvFactory {
    /// Reads the bars and splits them. `episode_bars` is the length of episodes on the training window: 512 where none
    /// is given, as in a training.
    pub fn prepare(
        source: &DataSource,
        timeframe: Timeframe,
        boundaries: Boundaries,
        cost_bps: f64,
        episode_bars: Option<usize>,
    ) -> Result<Self, TrainingError> {
        let episode_bars = episode_bars.unwrap_or(EPISODE_BARS);
        Ok(Self {
            costs: CostModel::from_bps(cost_bps)?,
            spec: EnvSpec::new(cost_bps, episode_bars),
            market: Arc::new(MarketData::prepare(source, timeframe, boundaries)?),
            episode_bars,
        })
    }

    /// An environment over a stretch of the bars. On the training window episodes have their length and start at
    /// random; elsewhere one episode goes from the first bar to the last.
    pub fn env(&self, window: EnvWindow) -> TradingEnv {
        let split = &self.market.split;
        let whole = |bars: Range<usize>| (bars.clone(), bars.len());
        let (bars, episode_bars) = match window {
            EnvWindow::Train => (training_bars(&self.market), self.episode_bars),
            EnvWindow::Validation => whole(split.validation.bars.clone()),
            EnvWindow::Test => whole(split.test.bars.clone()),
            EnvWindow::All => whole(self.market.tape.features.first()..self.market.tape.bars.len()),
        };
        TradingEnv::over(Arc::clone(&self.market), bars, self.costs, episode_bars)
    }

    /// The bars and how they were read.
    pub fn market(&self) -> &MarketData {
        &self.market
    }

    /// When a bar opened, in milliseconds since 1970 (UTC).
    pub fn open_time_ms(&self, bar_idx: usize) -> i64 {
        self.market.tape.bars.as_slice()[bar_idx].open_time_ms
    }

    /// `evaluation/*` on the validation window, `final/*` and `portfolio/*` on the test window, exactly as a training
    /// measures its own model.
    pub fn measure(&self, policy: &Policy) -> BTreeMap<String, f64> {
        measure(&self.market, self.costs, policy).metrics
    }

    /// Mean and standard deviation of the rewards of the validation window's episodes.
    pub fn validate(&self, policy: &Policy) -> (f64, f64) {
        let window = &self.market.split.validation;
        let scores = score_episodes(&self.market.tape, window, self.costs, policy);
        (scores.mean_reward, scores.std_reward)
    }

    /// The policy of a model file of stable-baselines3.
    pub fn policy(file: &[u8]) -> Result<Policy, TrainingError> {
        Ok(Model::from_zip(file, "the model")?.policy)
    }

    /// What a run on these bars records of them, as a training does.
    pub fn params(&self) -> BTreeMap<String, String> {
        market_params(&self.market, &self.spec)
    }

    /// What a model file says under its key `herdbook` of the environment its model belongs to.
    pub fn description(&self) -> Map<String, Value> {
        let tape = &self.market.tape;
        description(&self.spec, tape.bars.timeframe(), &tape.symbol)
    }
}
