//! The four ways of training on from a parent. Each is a coach that sets the environments up before training
//! and steers after each iteration; `continued` leaves everything as it is.

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

/// One way of training on.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Enhancer {
    /// Base models and `continued`: weights, optimizer state and step count carried on, nothing steered.
    Plain,
    /// See [`replay`].
    Replay(Replay),
    /// See [`curriculum`].
    Curriculum(Curriculum),
    /// See [`adaptive`].
    Adaptive(Adaptive),
}

impl Enhancer {
    /// The coach of an enhancement.
    pub(crate) fn new(
        enhancement: Enhancement,
        setup: &EnhancementSetup<'_>,
        envs: &mut [TradingEnv],
    ) -> Self {
        match enhancement {
            Enhancement::Continued => Self::Plain,
            Enhancement::Replay => Self::Replay(Replay::new(setup, envs)),
            Enhancement::Curriculum => Self::Curriculum(Curriculum::new(setup, envs)),
            Enhancement::Adaptive => Self::Adaptive(Adaptive::new(envs)),
        }
    }

    /// Steers after an iteration.
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

    /// What the coach steers, as metrics of the iteration.
    pub(crate) fn metrics(&self) -> Vec<(&'static str, f64)> {
        match self {
            Self::Plain => Vec::new(),
            Self::Replay(replay) => replay.metrics(),
            Self::Curriculum(curriculum) => curriculum.metrics(),
            Self::Adaptive(adaptive) => adaptive.metrics(),
        }
    }
}
