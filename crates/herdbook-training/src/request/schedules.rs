//! Linear schedules of hyperparameters, like `LinearSchedule` of stable-baselines3.

use herdbook_ppo::{PpoError, Trainer};
use serde::{Deserialize, Serialize};

use crate::environment::trading_env::TradingEnv;

/// Final values of hyperparameters that change linearly from their value in the configuration.
///
/// As in stable-baselines3, the update of an iteration uses the value at the end of its rollout:
/// `final + remaining·(initial − final)`, with `remaining` the share of timesteps left after the rollout.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Schedules {
    /// Learning rate at the end; `None` keeps it constant.
    pub learning_rate: Option<f64>,
    /// Clip range at the end; `None` keeps it constant.
    pub clip_range: Option<f64>,
}

impl Schedules {
    /// Sets the values for the next iteration. `initial` holds the values at the start of the training, `timesteps` its
    /// total length.
    pub(crate) fn apply(
        self,
        trainer: &mut Trainer<TradingEnv>,
        initial: &herdbook_ppo::PpoConfig,
        timesteps: u64,
    ) -> Result<(), PpoError> {
        let after = trainer.trained_timesteps() + initial.rollout_len() as u64;
        let left = (1.0 - after as f64 / timesteps as f64).max(0.0);
        if let Some(last) = self.learning_rate {
            trainer.set_learning_rate(last + left * (initial.learning_rate - last))?;
        }
        if let Some(last) = self.clip_range {
            trainer.set_clip_range(last + left * (initial.clip_range - last))?;
        }
        Ok(())
    }
}
