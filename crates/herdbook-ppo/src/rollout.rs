//! Playing the policy in its environments for a fixed number of timesteps.

use serde::{Deserialize, Serialize};

use crate::math::categorical;
use crate::math::padded;
use crate::policy::Scratch;
use crate::returns::{self, Discount, StepEnd, Timestep};
use crate::{Env, EpisodeEnd, EpisodeSummary, Policy, PpoConfig, Rng};

/// One rollout. Row `env_idx * n_steps + t` of everything belongs to timestep `t` of that
/// environment, so that each environment's timesteps stand together.
#[derive(Debug)]
pub(crate) struct Rollout {
    pub(crate) obs_len: usize,
    pub(crate) obs: Vec<f32>,
    pub(crate) actions: Vec<u32>,
    pub(crate) log_probs: Vec<f32>,
    pub(crate) steps: Vec<Timestep>,
    pub(crate) advantages: Vec<f32>,
    pub(crate) returns: Vec<f32>,
    n_steps: usize,
}

/// The environments, each in the middle of an episode, with its own generator.
#[derive(Debug)]
pub(crate) struct Actors<E> {
    pub(crate) envs: Vec<E>,
    pub(crate) rngs: Vec<Rng>,
    /// The present observation of each environment.
    pub(crate) obs: Vec<f32>,
    pub(crate) episodes: Vec<EpisodeSoFar>,
    pub(crate) started: bool,
    scratch: Scratch,
}

/// What [`Actors`] come to between two rollouts, `S` being the state of an environment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ActorsState<S> {
    pub(crate) envs: Vec<S>,
    pub(crate) rngs: Vec<Rng>,
    pub(crate) obs: Vec<f32>,
    pub(crate) episodes: Vec<EpisodeSoFar>,
    pub(crate) started: bool,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct EpisodeSoFar {
    reward: f64,
    length: u32,
}

impl Rollout {
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

    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    /// The observation of one row.
    pub(crate) fn obs(&self, row: usize) -> &[f32] {
        &self.obs[row * self.obs_len..(row + 1) * self.obs_len]
    }

    pub(crate) fn explained_variance(&self) -> Option<f64> {
        returns::explained_variance(self.steps.iter().map(|step| step.value), &self.returns)
    }

    pub(crate) fn mean_reward(&self) -> f64 {
        // A truncated timestep's reward stays apart from its bootstrap, so this is what was earned.
        self.steps.iter().map(|step| f64::from(step.reward)).sum::<f64>() / self.len() as f64
    }

    /// Fills in advantages, and returns as their sum with the values, given the value after the
    /// last timestep of each environment.
    fn finish(&mut self, last_values: impl Iterator<Item = f32>, discount: Discount) {
        let chunks = self.steps.chunks(self.n_steps).zip(self.advantages.chunks_mut(self.n_steps));
        for ((steps, advantages), last_value) in chunks.zip(last_values) {
            returns::advantages(steps, last_value, discount, advantages);
        }
        for ((target, advantage), step) in
            self.returns.iter_mut().zip(&self.advantages).zip(&self.steps)
        {
            *target = advantage + step.value;
        }
    }
}

impl<E: Env> Actors<E> {
    /// Takes the environments over; each gets its own stream of `rng`.
    pub(crate) fn new(envs: Vec<E>, policy: &Policy, rng: &mut Rng) -> Self {
        let n_envs = envs.len();
        Self {
            rngs: envs.iter().map(|_| rng.split()).collect(),
            obs: vec![0.0; n_envs * policy.obs_len()],
            episodes: vec![EpisodeSoFar::default(); n_envs],
            started: false,
            scratch: Scratch::new(&policy.network, policy.n_actions(), n_envs),
            envs,
        }
    }

    /// Plays one rollout, adding the episodes that ended in it to `ended`.
    pub(crate) fn play(
        &mut self,
        policy: &Policy,
        discount: Discount,
        rng: &mut Rng,
        rollout: &mut Rollout,
        ended: &mut Vec<EpisodeSummary>,
    ) {
        self.start();
        for t in 0..rollout.n_steps {
            self.choose(policy, rng, rollout, t);
            for env_idx in 0..self.envs.len() {
                self.step(env_idx, policy, rollout, t, ended);
            }
        }
        policy.forward_vf(&self.obs, self.envs.len(), &mut self.scratch);
        let values = self.scratch.vf.last(self.envs.len());
        rollout.finish(values.iter().step_by(padded(1)).copied(), discount);
    }

    /// Resets all environments before the first rollout, not earlier: until then their owner may
    /// still set them up.
    fn start(&mut self) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let obs_len = self.obs.len() / self.envs.len();
        let rows = self.obs.chunks_exact_mut(obs_len);
        for ((env, rng), obs) in self.envs.iter_mut().zip(&mut self.rngs).zip(rows) {
            env.reset(rng, obs);
        }
    }

    /// Draws an action for every environment and records what it was drawn from.
    fn choose(&mut self, policy: &Policy, rng: &mut Rng, rollout: &mut Rollout, t: usize) {
        let (n_envs, n_actions) = (self.envs.len(), policy.n_actions());
        policy.distributions(&self.obs, n_envs, &mut self.scratch);
        policy.forward_vf(&self.obs, n_envs, &mut self.scratch);
        let log_probs = self.scratch.pi.last(n_envs);
        let values = self.scratch.vf.last(n_envs);
        for (env_idx, obs) in self.obs.chunks_exact(rollout.obs_len).enumerate() {
            let (row, start) = (env_idx * rollout.n_steps + t, env_idx * padded(n_actions));
            let action =
                categorical::sample(&self.scratch.probabilities[start..start + n_actions], rng);
            rollout.obs[row * rollout.obs_len..][..rollout.obs_len].copy_from_slice(obs);
            rollout.actions[row] = action as u32;
            rollout.log_probs[row] = log_probs[start + action];
            rollout.steps[row].value = values[env_idx * padded(1)];
        }
    }

    /// Takes the chosen action in one environment, and starts its next episode if this one ended.
    fn step(
        &mut self,
        env_idx: usize,
        policy: &Policy,
        rollout: &mut Rollout,
        t: usize,
        ended: &mut Vec<EpisodeSummary>,
    ) {
        let row = env_idx * rollout.n_steps + t;
        let obs = &mut self.obs[env_idx * rollout.obs_len..][..rollout.obs_len];
        let step = self.envs[env_idx].step(rollout.actions[row] as usize, obs);
        let episode = &mut self.episodes[env_idx];
        episode.reward += f64::from(step.reward);
        episode.length += 1;
        rollout.steps[row].reward = step.reward;
        rollout.steps[row].end = match step.end {
            EpisodeEnd::Running => StepEnd::Running,
            EpisodeEnd::Terminated => StepEnd::Terminated,
            EpisodeEnd::Truncated => {
                StepEnd::Truncated { final_value: policy.value(obs, &mut self.scratch) }
            }
        };
        if step.end != EpisodeEnd::Running {
            let EpisodeSoFar { reward, length } = std::mem::take(episode);
            ended.push(EpisodeSummary { reward: reward as f32, length, env_idx });
            self.envs[env_idx].reset(&mut self.rngs[env_idx], obs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Activation, NetArch, Step};

    /// Shows the time, counted from 1; episodes of 3 timesteps that end as told.
    struct Clock {
        end: EpisodeEnd,
        time: f32,
    }

    impl Env for Clock {
        fn obs_len(&self) -> usize {
            1
        }

        fn n_actions(&self) -> usize {
            2
        }

        fn reset(&mut self, _rng: &mut Rng, obs: &mut [f32]) {
            self.time = 1.0;
            obs[0] = 1.0;
        }

        fn step(&mut self, _action: usize, obs: &mut [f32]) -> Step {
            self.time += 1.0;
            obs[0] = self.time;
            let end = if self.time > 3.5 { self.end } else { EpisodeEnd::Running };
            Step { reward: self.time, end }
        }
    }

    fn played(ends: [EpisodeEnd; 2]) -> (Policy, Rollout, Vec<EpisodeSummary>) {
        let config = PpoConfig { n_envs: 2, n_steps: 4, ..PpoConfig::default() };
        let mut rng = Rng::new(1);
        let net_arch = NetArch { pi: vec![], vf: vec![8] };
        let policy = Policy::new(1, 2, net_arch, Activation::Tanh, &mut rng).unwrap();
        let envs = ends.map(|end| Clock { end, time: 0.0 }).into();
        let mut actors = Actors::new(envs, &policy, &mut rng);
        let (mut rollout, mut ended) = (Rollout::new(&config, 1), vec![]);
        let discount = Discount { gamma: 0.9, lambda: 0.8 };
        actors.play(&policy, discount, &mut rng, &mut rollout, &mut ended);
        (policy, rollout, ended)
    }

    #[test]
    fn truncated_episode_is_valued_at_its_last_observation_and_a_terminated_one_is_not() {
        let (policy, rollout, _) = played([EpisodeEnd::Truncated, EpisodeEnd::Terminated]);
        let final_value = policy.value(&[4.0], &mut policy.scratch());
        assert_eq!(rollout.steps[2].end, StepEnd::Truncated { final_value });
        assert_eq!(rollout.steps[4 + 2].end, StepEnd::Terminated);
        let want = 4.0 + 0.9 * final_value - rollout.steps[2].value;
        assert!((rollout.advantages[2] - want).abs() < 1e-6);
    }

    #[test]
    fn timesteps_of_an_environment_stand_together_and_start_anew_after_an_end() {
        let (_, rollout, ended) = played([EpisodeEnd::Truncated, EpisodeEnd::Terminated]);
        assert_eq!(rollout.obs, [1.0, 2.0, 3.0, 1.0].repeat(2));
        let summary = |env_idx| EpisodeSummary { reward: 9.0, length: 3, env_idx };
        assert_eq!(ended, [summary(0), summary(1)]);
    }

    #[test]
    fn recorded_probabilities_are_those_of_the_policy() {
        let (policy, rollout, _) = played([EpisodeEnd::Running; 2]);
        let mut scratch = policy.scratch();
        for row in 0..rollout.len() {
            let action = rollout.actions[row] as usize;
            let now = policy.evaluate(rollout.obs(row), action, &mut scratch);
            assert_eq!(now.log_prob.to_bits(), rollout.log_probs[row].to_bits());
            assert_eq!(now.value.to_bits(), rollout.steps[row].value.to_bits());
        }
    }
}
