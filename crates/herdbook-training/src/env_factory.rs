//! Environments for other trainers, such as stable-baselines3, over the same bars, windows and costs.

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

/// Builds environments over prepared bars and measures policies on them.
#[derive(Debug, Clone)]
pub struct EnvFactory {
    market: Arc<MarketData>,
    costs: CostModel,
    spec: EnvSpec,
    episode_bars: usize,
}

/// The bars that an environment covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvWindow {
    /// The training window. Episodes have a fixed length and random starts, as in a training.
    Train,
    /// The validation window, as one episode.
    Validation,
    /// The test window, as one episode.
    Test,
    /// All bars with features, as one episode.
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
                "unknown window `{text}`: expected `train`, `validation`, `test` or `all`"
            )),
        }
    }
}

impl EnvFactory {
    /// Reads the bars and splits them into windows. `episode_bars` is the length of an episode on the training window,
    /// by default [`EPISODE_BARS`], as in a training.
    ///
    /// # Errors
    /// [`TrainingError::Market`] if the bars, the boundaries or the costs cannot be used.
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

    /// An environment over one window. On the training window episodes have the length given to [`Self::prepare`] and
    /// random starts; elsewhere one episode covers all bars of the window.
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

    /// The bars and their windows.
    pub fn market(&self) -> &MarketData {
        &self.market
    }

    /// Open time of a bar, in milliseconds since the Unix epoch.
    pub fn open_time_ms(&self, bar_idx: usize) -> i64 {
        self.market.tape.bars.as_slice()[bar_idx].open_time_ms
    }

    /// The metrics `evaluation/*` on the validation window, `final/*` and `portfolio/*` on the test window, as a training
    /// measures them for its own model.
    pub fn measure(&self, policy: &Policy) -> BTreeMap<String, f64> {
        measure(&self.market, self.costs, policy).metrics
    }

    /// Mean and standard deviation of the sum of rewards per episode on the validation window.
    pub fn validate(&self, policy: &Policy) -> (f64, f64) {
        let window = &self.market.split.validation;
        let scores = score_episodes(&self.market.tape, window, self.costs, policy);
        (scores.mean_reward, scores.std_reward)
    }

    /// The policy in a model file of stable-baselines3.
    ///
    /// # Errors
    /// [`TrainingError::Ppo`] if the file cannot be read as a model.
    pub fn policy(file: &[u8]) -> Result<Policy, TrainingError> {
        Ok(Model::from_zip(file, "the model")?.policy)
    }

    /// The params `data.*` and `env.*` that a training on these bars records.
    pub fn params(&self) -> BTreeMap<String, String> {
        market_params(&self.market, &self.spec)
    }

    /// The section `herdbook` of a model file for a model trained in these environments.
    pub fn description(&self) -> Map<String, Value> {
        let tape = &self.market.tape;
        description(&self.spec, tape.bars.timeframe(), &tape.symbol)
    }
}
