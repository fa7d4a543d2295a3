//! The four enhancements: ways of continuing the training of a parent. Each prepares the environments before the training
//! and adjusts environments or hyperparameters after each iteration; `continued` does neither.

mod adaptive;
mod curriculum;
mod replay;
pub(crate) mod setup;

use herdbook_domain::Enhancement;
use herdbook_ppo::{IterationStats, PpoError, Trainer};
use serde::{Deserialize, Serialize};

use adaptive::Adaptive;
use curriculum::Curriculum;
use replay::Replay;

use crate::environment::trading_env::TradingEnv;
use crate::run::enhancement::setup::EnhancementSetup;

/// State of an enhancement during a training. Serialized names are part of the checkpoint format.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Enhancer {
    /// Base models and `continued`: weights, optimizer state and step count are carried on, nothing is adjusted.
    Plain,
    /// See [`replay`].
    Replay(Replay),
    /// See [`curriculum`].
    Curriculum(Curriculum),
    /// See [`adaptive`].
    Adaptive(Adaptive),
}

impl Enhancer {
    /// Starts an enhancement and prepares the environments.
    pub(crate) fn new(
        enhancement: Enhancement,
        setup: &EnhancementSetup<'_>,
        envs: &mut [TradingEnv],
    ) -> Self {
        match enhancement {
            Enhancement::Continued => Self::Plain,
            Enhancement::Replay => Self::Replay(Replay::new(setup, envs)),
            Enhancement::Curriculum => Self::Curriculum(Curriculum::new(setup, envs)),
            Enhancement::Adaptive => Self::Adaptive(Adaptive::new(setup.ent_coef, envs)),
        }
    }

    /// Adjusts environments and hyperparameters after an iteration.
    pub(crate) fn after_iteration(
        &mut self,
        trainer: &mut Trainer<TradingEnv>,
        stats: &IterationStats,
    ) -> Result<(), PpoError> {
        let trained = trainer.trained_timesteps();
        match self {
            Self::Plain => {
                for env in trainer.envs_mut() {
                    env.take_finished();
                }
            }
            Self::Replay(replay) => replay.after_iteration(trainer.envs_mut()),
            Self::Curriculum(curriculum) => {
                curriculum.after_iteration(trained, trainer.envs_mut());
            }
            Self::Adaptive(adaptive) => adaptive.after_iteration(trainer, stats)?,
        }
        Ok(())
    }

    /// The adjusted values, as metrics of the iteration.
    pub(crate) fn metrics(&self) -> Vec<(&'static str, f64)> {
        match self {
            Self::Plain => Vec::new(),
            Self::Replay(replay) => replay.metrics(),
            Self::Curriculum(curriculum) => curriculum.metrics(),
            Self::Adaptive(adaptive) => adaptive.metrics(),
        }
    }
}
