//! What an environment is to the trainer.

use crate::Rng;

/// A task with a flat observation and one discrete action per timestep. Several are played at once on several
/// threads.
pub trait Env: Send {
    /// Length of every observation.
    fn obs_len(&self) -> usize;

    /// Number of actions; an action is an index below it.
    fn n_actions(&self) -> usize;

    /// Starts a new episode and writes its first observation.
    fn reset(&mut self, rng: &mut Rng, obs: &mut [f32]);

    /// Takes one action and writes the observation that follows, the episode's last one when it
    /// ended. Rewards and observations must be finite.
    fn step(&mut self, action: usize, obs: &mut [f32]) -> Step;
}

/// What one timestep brought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The reward of the action just taken.
    pub reward: f32,
    /// Whether the episode goes on.
    pub end: EpisodeEnd,
}

/// Whether, and how, an episode is over. A time limit is not an end of the task: what would have
/// come after it still has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpisodeEnd {
    /// The episode goes on.
    Running,
    /// The task itself ended: nothing more was to be earned.
    Terminated,
    /// A limit from outside the task cut the episode off.
    Truncated,
}
