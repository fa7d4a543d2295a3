//! Playing some of the environments for one rollout, on one thread. The policy does not change meanwhile, so no
//! environment depends on another.

use crate::math::{categorical, padded};
use crate::policy::Scratch;
use crate::returns::{self, Discount, StepEnd};
use crate::rollout::{EpisodeSoFar, RolloutPart};
use crate::{Env, EpisodeEnd, EpisodeSummary, Policy, Rng};

/// Rows whose values are computed together.
const VALUE_ROWS: usize = 64;

/// Environments that stand side by side; their timesteps are the rows of a [`RolloutPart`].
#[derive(Debug)]
pub(crate) struct Seats<'a, E> {
    /// The index of the first one among all.
    pub(crate) first: usize,
    pub(crate) envs: &'a mut [E],
    pub(crate) rngs: &'a mut [Rng],
    pub(crate) obs: &'a mut [f32],
    pub(crate) episodes: &'a mut [EpisodeSoFar],
}

/// Plays one rollout in some of the environments.
#[derive(Debug)]
pub(crate) struct Player<'a, E> {
    policy: &'a Policy,
    seats: Seats<'a, E>,
    part: RolloutPart<'a>,
    /// A number from `[0, 1)` for each timestep of all environments, which stand side by side.
    draws: &'a [f32],
    n_envs_of_all: usize,
    discount: Discount,
    scratch: Scratch,
    ended: Vec<(usize, EpisodeSummary)>,
}

impl<'a, E: Env> Player<'a, E> {
    pub(crate) fn new(
        policy: &'a Policy,
        seats: Seats<'a, E>,
        part: RolloutPart<'a>,
        draws: &'a [f32],
        n_envs_of_all: usize,
        discount: Discount,
    ) -> Self {
        let rows = seats.envs.len().max(VALUE_ROWS);
        let scratch = Scratch::new(&policy.network, policy.n_logits(), rows);
        let ended = Vec::new();
        Self { policy, seats, part, draws, n_envs_of_all, discount, scratch, ended }
    }

    /// Plays the rollout, then judges what was done.
    pub(crate) fn play(&mut self) {
        for t in 0..self.part.n_steps {
            self.choose(t);
            for env_idx in 0..self.seats.envs.len() {
                self.step(env_idx, t);
            }
        }
        self.value();
        self.judge();
    }

    /// Episodes that ended, with the timestep of the rollout at which they did.
    pub(crate) fn into_ended(self) -> Vec<(usize, EpisodeSummary)> {
        self.ended
    }

    /// Draws an action for every environment and records what it was drawn from.
    fn choose(&mut self, t: usize) {
        let Self { policy, seats, part, scratch, .. } = self;
        let (n_envs, n_actions) = (seats.envs.len(), policy.n_logits());
        policy.distributions(seats.obs, n_envs, scratch);
        let log_probs = scratch.pi.last(n_envs);
        let draws = &self.draws[t * self.n_envs_of_all + seats.first..];
        for (env_idx, obs) in seats.obs.chunks_exact(part.obs_len).enumerate() {
            let (row, start) = (env_idx * part.n_steps + t, env_idx * padded(n_actions));
            let probabilities = &scratch.probabilities[start..start + n_actions];
            let action = categorical::pick(probabilities, draws[env_idx]);
            part.obs[row * part.obs_len..][..part.obs_len].copy_from_slice(obs);
            part.actions[row] = action as u32;
            part.log_probs[row] = log_probs[start + action];
        }
    }

    /// Takes the chosen action in one environment, and starts its next episode if this one ended.
    fn step(&mut self, env_idx: usize, t: usize) {
        let Self { policy, seats, part, scratch, ended, .. } = self;
        let row = env_idx * part.n_steps + t;
        let obs = &mut seats.obs[env_idx * part.obs_len..][..part.obs_len];
        let step = seats.envs[env_idx].step(part.actions[row] as usize, obs);
        let episode = &mut seats.episodes[env_idx];
        episode.reward += f64::from(step.reward);
        episode.length += 1;
        part.steps[row].reward = step.reward;
        part.steps[row].end = match step.end {
            EpisodeEnd::Running => StepEnd::Running,
            EpisodeEnd::Terminated => StepEnd::Terminated,
            EpisodeEnd::Truncated => StepEnd::Truncated { final_value: policy.value(obs, scratch) },
        };
        if step.end != EpisodeEnd::Running {
            let EpisodeSoFar { reward, length } = std::mem::take(episode);
            let env_idx_of_all = seats.first + env_idx;
            let summary = EpisodeSummary { reward: reward as f32, length, env_idx: env_idx_of_all };
            ended.push((t, summary));
            seats.envs[env_idx].reset(&mut seats.rngs[env_idx], obs);
        }
    }

    /// Values every observation of the rollout. They do not depend on the actions, and many rows at a time cost less
    /// than one by one.
    fn value(&mut self) {
        let Self { policy, part, scratch, .. } = self;
        let blocks = part.obs.chunks(VALUE_ROWS * part.obs_len);
        for (obs, steps) in blocks.zip(part.steps.chunks_mut(VALUE_ROWS)) {
            policy.forward_vf(obs, steps.len(), scratch);
            let values = scratch.vf.last(steps.len()).iter().step_by(padded(1));
            steps.iter_mut().zip(values).for_each(|(step, value)| step.value = *value);
        }
    }

    /// Fills in advantages, and returns as their sum with the values.
    fn judge(&mut self) {
        let Self { policy, seats, part, scratch, .. } = self;
        let blocks = part.steps.chunks(part.n_steps).zip(part.advantages.chunks_mut(part.n_steps));
        for ((steps, advantages), obs) in blocks.zip(seats.obs.chunks_exact(part.obs_len)) {
            let last_value = policy.value(obs, scratch);
            returns::advantages(steps, last_value, self.discount, advantages);
        }
        let rows = part.returns.iter_mut().zip(&*part.advantages).zip(&*part.steps);
        rows.for_each(|((target, advantage), step)| *target = advantage + step.value);
    }
}
