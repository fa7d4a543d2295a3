//! The request for one training, and all checks that need no store.

use std::num::NonZeroUsize;
use std::sync::Arc;

use herdbook_domain::{ExperimentName, ModelName, Timeframe};
use herdbook_market::{Boundaries, CostModel};
use herdbook_ppo::PpoConfig;
use serde::{Deserialize, Serialize};

use crate::environment::market_data::{DataSource, MarketData};
use crate::environment::observation::OBS_LEN;
use crate::error::TrainingError;
use crate::request::enhance_request::EnhanceRequest;
use crate::request::membership::SweepMembership;
use crate::request::schedules::Schedules;

/// Request for one training.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TrainRequest {
    /// Length of one bar.
    pub timeframe: Timeframe,
    /// The bars.
    pub data: DataSource,
    /// Explicit window boundaries; by default the bars are split by shares (64/16/20 %).
    pub boundaries: Boundaries,
    /// Timesteps to train, rounded up to whole rollouts.
    pub timesteps: u64,
    /// Seed of everything random.
    pub seed: u64,
    /// Basis points of traded notional charged per side.
    pub cost_bps: f64,
    /// Hyperparameters. An enhancement keeps the networks of its parent: other networks than the default ones are
    /// refused unless they are equal to the parent's.
    pub config: PpoConfig,
    /// Hyperparameters that change during the training.
    pub schedules: Schedules,
    /// The registered model that gets the new version.
    pub model: ModelName,
    /// The experiment of the run.
    pub experiment: ExperimentName,
    /// The parent; `None` trains a base model.
    pub enhance: Option<EnhanceRequest>,
    /// What to do if an ancestor was trained or validated on bars of the test window.
    pub contaminated: ContaminatedTest,
    /// The run's place in a sweep; `None` for a single training.
    pub membership: Option<SweepMembership>,
    /// Which policy of the training is registered. A checkpoint of an older herdbook, which always registered the last
    /// one, does not name it.
    #[serde(default = "RegisteredPolicy::of_older_herdbook")]
    pub register: RegisteredPolicy,
}

/// The policy of a training that is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegisteredPolicy {
    /// The one with the best mean reward on the validation window, the first of equal ones.
    #[default]
    Best,
    /// The one at the end of the training.
    Last,
}

impl RegisteredPolicy {
    /// Name of the param that records it. A run without it registered the last policy.
    pub(crate) const PARAM: &str = "registered_policy";

    /// As the flag spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::Last => "last",
        }
    }

    fn of_older_herdbook() -> Self {
        Self::Last
    }
}

/// What to do if the test window has bars that the model or an ancestor was trained or validated on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContaminatedTest {
    /// Refuse to train.
    Refused,
    /// Train, and mark the model as contaminated.
    Marked,
}

impl TrainRequest {
    /// Checks everything that needs no store (hyperparameters, costs, bars, windows) and computes the features.
    ///
    /// # Errors
    /// [`TrainingError::NoTimesteps`], [`TrainingError::LearningRateConflict`], [`TrainingError::Ppo`] for hyperparameters
    /// out of range, [`TrainingError::Market`] for bars, windows or costs that cannot be used.
    pub fn prepare(self) -> Result<PreparedTraining, TrainingError> {
        if self.timesteps == 0 {
            return Err(TrainingError::NoTimesteps);
        }
        self.config.validate()?;
        self.config.check_rollout(OBS_LEN)?;
        let is_adaptive = self.enhance.as_ref().is_some_and(EnhanceRequest::is_adaptive);
        if self.schedules.learning_rate.is_some() && is_adaptive {
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

/// A training whose input passed all checks that need no store.
#[derive(Debug)]
pub struct PreparedTraining {
    pub(crate) request: TrainRequest,
    pub(crate) market: Arc<MarketData>,
    pub(crate) costs: CostModel,
    /// Not part of the request, since it does not change the result.
    pub(crate) n_threads: NonZeroUsize,
}

impl PreparedTraining {
    /// Sets the number of threads (default 1). It does not change the model.
    #[must_use]
    pub fn with_threads(self, n_threads: NonZeroUsize) -> Self {
        Self { n_threads, ..self }
    }

    /// The bars and their windows.
    pub fn market(&self) -> &MarketData {
        &self.market
    }
}
