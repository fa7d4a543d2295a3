//! The environment, as the trainer sees it.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::rng::Rng;

/// A task with a flat observation and one discrete action per timestep.
///
/// The trainer may step several environments at once, each on a thread of its own.
pub trait Env: Send {
    /// Length of every observation.
    fn obs_len(&self) -> usize;

    /// Number of actions. Actions are `0..n_actions()`.
    fn n_actions(&self) -> usize;

    /// Starts a new episode and writes its first observation into `obs`, which has
    /// [`Env::obs_len`] elements. All randomness comes from `rng`.
    fn reset(&mut self, rng: &mut Rng, obs: &mut [f32]);

    /// Takes one action and writes the observation that follows into `obs`; at an episode's end, its
    /// last observation. Rewards and observations must be finite.
    fn step(&mut self, action: usize, obs: &mut [f32]) -> Step;
}

/// An environment whose state can be stored and restored in the middle of an episode.
pub trait ResumableEnv: Env {
    /// Everything that the following timesteps depend on.
    type State: Serialize + DeserializeOwned;

    /// The current state.
    fn state(&self) -> Self::State;

    /// Restores a state.
    ///
    /// # Errors
    /// A description of the problem, if the state cannot belong to this environment.
    fn restore(&mut self, state: Self::State) -> Result<(), String>;
}

/// The result of one timestep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The reward of the action just taken.
    pub reward: f32,
    /// Whether the episode ended.
    pub end: EpisodeEnd,
}

/// Whether and how an episode ended. Termination and truncation differ in the value of what would
/// have followed: 0 after termination, the critic's estimate after truncation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpisodeEnd {
    /// The episode continues.
    Running,
    /// The task itself ended, so no further reward was possible.
    Terminated,
    /// A limit outside the task, such as a time limit, cut the episode off.
    Truncated,
}
