//! A training between two iterations: what must be kept beside the model so that going on gives the same bytes
//! as never having stopped.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::rollout::{Actors, ActorsState};
use crate::{Env, Model, PpoConfig, PpoError, Rng, Trainer};

/// An environment that can be put back into the middle of an episode.
pub trait ResumableEnv: Env {
    /// Everything that its coming timesteps depend on.
    type State: Serialize + DeserializeOwned;

    /// The state as it is now.
    fn state(&self) -> Self::State;

    /// Goes back to a state; says what is wrong with one that cannot be of this environment.
    fn restore(&mut self, state: Self::State) -> Result<(), String>;
}

/// A training between two iterations, without its model: weights, optimizer and counters lie in the model's zip.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Snapshot<S> {
    /// Timesteps trained here; the rest of the model's were trained before.
    pub trained_timesteps: u64,
    /// The hyperparameters, with the changes made on the way.
    pub config: PpoConfig,
    rng: Rng,
    actors: ActorsState<S>,
}

impl<E: ResumableEnv> Trainer<E> {
    /// The training as it is now. Together with [`Trainer::model`] it is all that [`Trainer::restore`] needs.
    pub fn snapshot(&self) -> Snapshot<E::State> {
        Snapshot {
            trained_timesteps: self.trained_timesteps,
            config: self.config.clone(),
            rng: self.rng.clone(),
            actors: self.actors.state(),
        }
    }

    /// Goes on where a snapshot was taken: the coming iterations are those that would have followed it.
    pub fn restore(
        model: Model,
        snapshot: Snapshot<E::State>,
        envs: Vec<E>,
    ) -> Result<Self, PpoError> {
        let Snapshot { trained_timesteps, config, rng, actors } = snapshot;
        let trained_before = model.num_timesteps.checked_sub(trained_timesteps);
        let Some(parent_timesteps) = trained_before else {
            return Err(PpoError::Snapshot {
                problem: format!(
                    "{trained_timesteps} timesteps were trained, but the model has {}",
                    model.num_timesteps
                ),
            });
        };
        let mut trainer = Self::resume(model, config, envs, 0)?;
        trainer.parent_timesteps = parent_timesteps;
        trainer.trained_timesteps = trained_timesteps;
        trainer.rng = rng;
        trainer.actors.restore(actors).map_err(|problem| PpoError::Snapshot { problem })?;
        Ok(trainer)
    }
}

impl<E: ResumableEnv> Actors<E> {
    fn state(&self) -> ActorsState<E::State> {
        ActorsState {
            envs: self.envs.iter().map(E::state).collect(),
            rngs: self.rngs.clone(),
            obs: self.obs.clone(),
            episodes: self.episodes.clone(),
            started: self.started,
        }
    }

    fn restore(&mut self, state: ActorsState<E::State>) -> Result<(), String> {
        let n_envs = self.envs.len();
        for (what, found, expected) in [
            ("environments", state.envs.len(), n_envs),
            ("generators", state.rngs.len(), n_envs),
            ("episodes", state.episodes.len(), n_envs),
            ("observed numbers", state.obs.len(), self.obs.len()),
        ] {
            if found != expected {
                return Err(format!("{found} {what} where there are {expected}"));
            }
        }
        for (env, state) in self.envs.iter_mut().zip(state.envs) {
            env.restore(state)?;
        }
        self.rngs = state.rngs;
        self.obs = state.obs;
        self.episodes = state.episodes;
        self.started = state.started;
        Ok(())
    }
}
