//! What is asked of a training, and what can be checked of it without the records.

use std::num::NonZeroUsize;
use std::sync::Arc;

use herdbook_domain::{Enhancement, ExperimentName, ModelName, Timeframe};
use herdbook_market::{Boundaries, CostModel};
use herdbook_ppo::PpoConfig;
use serde::{Deserialize, Serialize};

use crate::environment::market_data::{DataSource, MarketData};
use crate::environment::observation::OBS_LEN;
use crate::error::TrainingError;
use crate::request::enhance_request::EnhanceRequest;
use crate::request::membership::SweepMembership;
use crate::request::schedules::Schedules;

/// Asks for one training.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
    /// Hyperparameters that change on the way.
    pub schedules: Schedules,
    /// The registered model to join.
    pub model: ModelName,
    /// The experiment.
    pub experiment: ExperimentName,
    /// The parent; `None` trains a base model.
    pub enhance: Option<EnhanceRequest>,
    /// Whether a test window that was seen by an ancestor is allowed, and marked.
    pub contaminated: ContaminatedTest,
    /// The run's place among several.
    pub membership: Option<SweepMembership>,
}

/// What to do with a test window that holds bars seen in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContaminatedTest {
    /// Refuse to train.
    Refused,
    /// Train, and mark the model as contaminated.
    Marked,
}

impl TrainRequest {
    /// Checks everything that can be checked without the records: hyperparameters, costs, bars, windows.
    pub fn prepare(self) -> Result<PreparedTraining, TrainingError> {
        if self.timesteps == 0 {
            return Err(TrainingError::NoTimesteps);
        }
        self.config.validate()?;
        self.config.check_rollout(OBS_LEN)?;
        let is_adaptive = |enhance: &EnhanceRequest| enhance.enhancement == Enhancement::Adaptive;
        if self.schedules.learning_rate.is_some() && self.enhance.as_ref().is_some_and(is_adaptive)
        {
            return Err(TrainingError::LearningRateConflict);
        }
        Ok(PreparedTraining {
            costs: CostModel::from_bps(self.cost_bps)?,
            market: Arc::new(MarketData::prepare(&self.data, self.timeframe, self.boundaries)?),
            request: self,
            n_threads: NonZeroUsize::MIN,
        })
    }
}

/// A training whose input is sound.
#[derive(Debug)]
pub struct PreparedTraining {
    pub(crate) request: TrainRequest,
    pub(crate) market: Arc<MarketData>,
    pub(crate) costs: CostModel,
    /// Not of the request: it changes nothing of what comes out.
    pub(crate) n_threads: NonZeroUsize,
}

impl PreparedTraining {
    /// Trains on this many threads instead of one, to the same model.
    #[must_use]
    pub fn with_threads(self, n_threads: NonZeroUsize) -> Self {
        Self { n_threads, ..self }
    }

    /// What the bars are and how they were read.
    pub fn market(&self) -> &MarketData {
        &self.market
    }
}
