//! The rollout: what was recorded of a fixed number of timesteps in every environment.

use crate::config::PpoConfig;
use crate::rollout::explained_variance::explained_variance;
use crate::rollout::timestep::{StepEnd, Timestep};

/// One rollout of `n_envs × n_steps` timesteps. Row `env_idx * n_steps + t` of every array is timestep
/// `t` of environment `env_idx`, so that the timesteps of an environment are contiguous.
#[derive(Debug)]
pub(crate) struct RolloutBuffer {
    pub(crate) obs_len: usize,
    /// `[rows, obs_len]`, the observations before each step.
    pub(crate) obs: Vec<f32>,
    pub(crate) actions: Vec<u32>,
    /// Log-probability of each action under the policy that took it.
    pub(crate) log_probs: Vec<f32>,
    pub(crate) steps: Vec<Timestep>,
    pub(crate) advantages: Vec<f32>,
    /// Advantage plus value: what the critic is trained towards.
    pub(crate) returns: Vec<f32>,
    n_steps: usize,
}

/// The rows of some consecutive environments.
#[derive(Debug)]
pub(crate) struct RolloutChunk<'a> {
    pub(crate) n_steps: usize,
    pub(crate) obs_len: usize,
    pub(crate) obs: &'a mut [f32],
    pub(crate) actions: &'a mut [u32],
    pub(crate) log_probs: &'a mut [f32],
    pub(crate) steps: &'a mut [Timestep],
    pub(crate) advantages: &'a mut [f32],
    pub(crate) returns: &'a mut [f32],
}

/// One row of a rollout, without its observation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) action: u32,
    pub(crate) log_prob: f32,
    pub(crate) value: f32,
    pub(crate) advantage: f32,
    /// The return.
    pub(crate) target: f32,
}

impl RolloutBuffer {
    pub(crate) fn new(config: &PpoConfig, obs_len: usize) -> Self {
        let len = config.rollout_len();
        Self {
            obs_len,
            obs: vec![0.0; len * obs_len],
            actions: vec![0; len],
            log_probs: vec![0.0; len],
            steps: vec![Timestep { reward: 0.0, value: 0.0, end: StepEnd::Running }; len],
            advantages: vec![0.0; len],
            returns: vec![0.0; len],
            n_steps: config.n_steps,
        }
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    /// The observation of one row.
    pub(crate) fn obs(&self, row: usize) -> &[f32] {
        &self.obs[row * self.obs_len..(row + 1) * self.obs_len]
    }

    pub(crate) fn sample(&self, row: usize) -> Sample {
        Sample {
            action: self.actions[row],
            log_prob: self.log_probs[row],
            value: self.steps[row].value,
            advantage: self.advantages[row],
            target: self.returns[row],
        }
    }

    pub(crate) fn explained_variance(&self) -> Option<f64> {
        explained_variance(self.steps.iter().map(|step| step.value), &self.returns)
    }

    /// Mean reward per timestep. The bootstrap of a truncated episode is not part of its reward.
    pub(crate) fn mean_reward(&self) -> f64 {
        self.steps.iter().map(|step| f64::from(step.reward)).sum::<f64>() / self.len() as f64
    }

    /// Splits the rows into chunks of `n_envs` environments; the last chunk may have fewer.
    pub(crate) fn chunks_mut(&mut self, n_envs: usize) -> impl Iterator<Item = RolloutChunk<'_>> {
        let (n_steps, obs_len) = (self.n_steps, self.obs_len);
        let rows = n_envs * n_steps;
        let obs = self.obs.chunks_mut(rows * obs_len);
        let steps = self.steps.chunks_mut(rows);
        let actions = self.actions.chunks_mut(rows).zip(self.log_probs.chunks_mut(rows));
        let targets = self.advantages.chunks_mut(rows).zip(self.returns.chunks_mut(rows));
        obs.zip(steps).zip(actions.zip(targets)).map(
            move |((obs, steps), ((actions, log_probs), (advantages, returns)))| RolloutChunk {
                n_steps,
                obs_len,
                obs,
                actions,
                log_probs,
                steps,
                advantages,
                returns,
            },
        )
    }
}
