//! One worker of a rollout: steps some of the environments on one thread. The policy is fixed during
//! a rollout, so workers are independent of each other.

use serde::{Deserialize, Serialize};

use crate::config::PpoConfig;
use crate::env::{Env, EpisodeEnd};
use crate::math::{categorical, padded};
use crate::network::policy::{Policy, Scratch};
use crate::rng::Rng;
use crate::rollout::advantages::{Discount, advantages};
use crate::rollout::buffer::RolloutChunk;
use crate::rollout::timestep::StepEnd;
use crate::stats::EpisodeSummary;

/// Number of observations whose values are computed at once.
const VALUE_ROWS: usize = 64;

/// Some consecutive environments; their timesteps are the rows of a [`RolloutChunk`].
#[derive(Debug)]
pub(crate) struct EnvChunk<'a, E> {
    /// Index of the first one among all environments.
    pub(crate) first_env_idx: usize,
    pub(crate) envs: &'a mut [E],
    pub(crate) rngs: &'a mut [Rng],
    pub(crate) obs: &'a mut [f32],
    pub(crate) episodes: &'a mut [RunningEpisode],
}

/// Reward and length of an episode so far.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct RunningEpisode {
    reward: f64,
    length: u32,
}

/// Collects the rollout of some environments.
#[derive(Debug)]
pub(crate) struct RolloutWorker<'a, E> {
    policy: &'a Policy,
    envs: EnvChunk<'a, E>,
    rows: RolloutChunk<'a>,
    /// `[n_steps, n_envs_total]`, uniform random numbers from `[0, 1)` for drawing actions.
    uniforms: &'a [f32],
    n_envs_total: usize,
    discount: Discount,
    scratch: Scratch,
    /// Ended episodes and the timestep of the rollout at which each ended.
    ended: Vec<(usize, EpisodeSummary)>,
}

impl<'a, E: Env> RolloutWorker<'a, E> {
    pub(crate) fn new(
        policy: &'a Policy,
        config: &PpoConfig,
        envs: EnvChunk<'a, E>,
        rows: RolloutChunk<'a>,
        uniforms: &'a [f32],
        n_envs_total: usize,
    ) -> Self {
        let discount = Discount { gamma: config.gamma as f32, lambda: config.gae_lambda as f32 };
        let scratch_rows = envs.envs.len().max(VALUE_ROWS);
        let scratch = Scratch::new(&policy.networks, policy.n_logits(), scratch_rows);
        Self { policy, envs, rows, uniforms, n_envs_total, discount, scratch, ended: Vec::new() }
    }

    /// Steps every environment `n_steps` times, then computes values, advantages and returns.
    pub(crate) fn run(&mut self) {
        for t in 0..self.rows.n_steps {
            self.draw_actions(t);
            for env_idx in 0..self.envs.envs.len() {
                self.step(env_idx, t);
            }
        }
        self.compute_values();
        self.compute_advantages_and_returns();
    }

    pub(crate) fn into_ended_episodes(self) -> Vec<(usize, EpisodeSummary)> {
        self.ended
    }

    /// Draws an action for every environment; records it with its observation and log-probability.
    fn draw_actions(&mut self, t: usize) {
        let Self { policy, envs, rows, scratch, .. } = self;
        let (n_envs, n_actions) = (envs.envs.len(), policy.n_logits());
        policy.distributions(envs.obs, n_envs, scratch);
        let log_probs = scratch.actor.last_layer(n_envs);
        let uniforms = &self.uniforms[t * self.n_envs_total + envs.first_env_idx..];
        for (env_idx, obs) in envs.obs.chunks_exact(rows.obs_len).enumerate() {
            let (row, start) = (env_idx * rows.n_steps + t, env_idx * padded(n_actions));
            let probabilities = &scratch.probabilities[start..start + n_actions];
            let action = categorical::draw(probabilities, uniforms[env_idx]);
            rows.obs[row * rows.obs_len..][..rows.obs_len].copy_from_slice(obs);
            rows.actions[row] = action as u32;
            rows.log_probs[row] = log_probs[start + action];
        }
    }

    /// Takes the drawn action in one environment, and starts a new episode if this one ended.
    fn step(&mut self, env_idx: usize, t: usize) {
        let Self { policy, envs, rows, scratch, ended, .. } = self;
        let row = env_idx * rows.n_steps + t;
        let obs = &mut envs.obs[env_idx * rows.obs_len..][..rows.obs_len];
        let step = envs.envs[env_idx].step(rows.actions[row] as usize, obs);
        let episode = &mut envs.episodes[env_idx];
        episode.reward += f64::from(step.reward);
        episode.length += 1;
        rows.steps[row].reward = step.reward;
        rows.steps[row].end = match step.end {
            EpisodeEnd::Running => StepEnd::Running,
            EpisodeEnd::Terminated => StepEnd::Terminated,
            EpisodeEnd::Truncated => StepEnd::Truncated { final_value: policy.value(obs, scratch) },
        };
        if step.end != EpisodeEnd::Running {
            let RunningEpisode { reward, length } = std::mem::take(episode);
            let env_idx_of_all = envs.first_env_idx + env_idx;
            let summary = EpisodeSummary { reward: reward as f32, length, env_idx: env_idx_of_all };
            ended.push((t, summary));
            envs.envs[env_idx].reset(&mut envs.rngs[env_idx], obs);
        }
    }

    /// Computes the value of every recorded observation. This is done after the rollout because
    /// values do not affect the actions, and many rows at once cost less than one at a time.
    fn compute_values(&mut self) {
        let Self { policy, rows, scratch, .. } = self;
        let blocks = rows.obs.chunks(VALUE_ROWS * rows.obs_len);
        for (obs, steps) in blocks.zip(rows.steps.chunks_mut(VALUE_ROWS)) {
            policy.forward_critic(obs, steps.len(), scratch);
            let values = scratch.critic.last_layer(steps.len()).iter().step_by(padded(1));
            steps.iter_mut().zip(values).for_each(|(step, value)| step.value = *value);
        }
    }

    /// Computes advantages, and returns as advantage plus value.
    fn compute_advantages_and_returns(&mut self) {
        let Self { policy, envs, rows, scratch, .. } = self;
        let blocks = rows.steps.chunks(rows.n_steps).zip(rows.advantages.chunks_mut(rows.n_steps));
        for ((steps, env_advantages), obs) in blocks.zip(envs.obs.chunks_exact(rows.obs_len)) {
            let last_value = policy.value(obs, scratch);
            advantages(steps, last_value, self.discount, env_advantages);
        }
        let targets = rows.returns.iter_mut().zip(&*rows.advantages).zip(&*rows.steps);
        targets.for_each(|((target, advantage), step)| *target = advantage + step.value);
    }
}
