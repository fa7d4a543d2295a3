//! Hyperparameters that change as a training goes on, as stable-baselines3's `LinearSchedule` does it.

use herdbook_ppo::{PpoError, Trainer};
use serde::{Deserialize, Serialize};

use crate::environment::trading_env::TradingEnv;

/// What changes linearly from its value in the configuration to the one here, reached at the end of the training.
/// Each iteration's update has the value of the share of timesteps that is left after its rollout.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Schedules {
    /// Step size at the end; `None` keeps it constant.
    pub learning_rate: Option<f64>,
    /// Clip range at the end; `None` keeps it constant.
    pub clip_range: Option<f64>,
}

impl Schedules {
    /// Sets the values of the iteration to come. `initial` are the values at the beginning.
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
