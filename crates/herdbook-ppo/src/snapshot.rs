//! A training between two iterations, as it is stored beside its model.

use serde::{Deserialize, Serialize};

use crate::config::PpoConfig;
use crate::env::ResumableEnv;
use crate::error::PpoError;
use crate::model::Model;
use crate::rng::Rng;
use crate::rollout::vec_env::VecEnvState;
use crate::trainer::Trainer;

/// The state of a training between two iterations, apart from its model: weights, optimizer and
/// counters are in the [`Model`]. `S` is [`ResumableEnv::State`].
///
/// A training restored from snapshot and model gives the same bytes as one that was never interrupted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Snapshot<S> {
    /// Timesteps of this training; the model's others were trained before it.
    pub trained_timesteps: u64,
    /// The current hyperparameters, including changes made during the training.
    pub config: PpoConfig,
    rng: Rng,
    /// Stored under its old name, which existing checkpoints use.
    #[serde(rename = "actors")]
    envs: VecEnvState<S>,
}

impl<E: ResumableEnv> Trainer<E> {
    /// The current state. Together with [`Trainer::model`], it is all that [`Trainer::restore`] needs.
    pub fn snapshot(&self) -> Snapshot<E::State> {
        Snapshot {
            trained_timesteps: self.trained_timesteps,
            config: self.config.clone(),
            rng: self.rng.clone(),
            envs: self.envs.state(),
        }
    }

    /// Restores a training from its model and snapshot, which must be of the same moment. The next
    /// iterations are those that would have followed the snapshot.
    ///
    /// # Errors
    /// Those of [`Trainer::resume`], and [`PpoError::Snapshot`] if the snapshot does not fit the model
    /// or the environments.
    pub fn restore(
        model: Model,
        snapshot: Snapshot<E::State>,
        envs: Vec<E>,
    ) -> Result<Self, PpoError> {
        let Snapshot { trained_timesteps, config, rng, envs: env_states } = snapshot;
        let Some(parent_timesteps) = model.num_timesteps.checked_sub(trained_timesteps) else {
            let problem = format!(
                "the checkpoint has {trained_timesteps} timesteps, but its model only {}",
                model.num_timesteps
            );
            return Err(PpoError::Snapshot { problem });
        };
        let mut trainer = Self::resume(model, config, envs, 0)?;
        trainer.parent_timesteps = parent_timesteps;
        trainer.trained_timesteps = trained_timesteps;
        trainer.rng = rng;
        trainer.envs.restore(env_states).map_err(|problem| PpoError::Snapshot { problem })?;
        Ok(trainer)
    }
}
