//! The environments of a training, stepped side by side on several threads.

use serde::{Deserialize, Serialize};

use crate::config::PpoConfig;
use crate::env::{Env, ResumableEnv};
use crate::network::policy::Policy;
use crate::rng::Rng;
use crate::rollout::buffer::RolloutBuffer;
use crate::rollout::worker::{EnvChunk, RolloutWorker, RunningEpisode};
use crate::stats::EpisodeSummary;

/// Several environments, each in the middle of an episode and with its own random numbers (the
/// `VecEnv` of stable-baselines3).
#[derive(Debug)]
pub(crate) struct VecEnv<E> {
    pub(crate) envs: Vec<E>,
    rngs: Vec<Rng>,
    /// `[n_envs, obs_len]`, the current observation of each environment.
    obs: Vec<f32>,
    episodes: Vec<RunningEpisode>,
    started: bool,
}

/// The stored form of a [`VecEnv`] between two rollouts; `S` is the state of one environment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct VecEnvState<S> {
    envs: Vec<S>,
    rngs: Vec<Rng>,
    obs: Vec<f32>,
    episodes: Vec<RunningEpisode>,
    started: bool,
}

impl<E: Env> VecEnv<E> {
    /// Takes ownership of the environments and gives each a generator split off from `rng`.
    pub(crate) fn new(envs: Vec<E>, policy: &Policy, rng: &mut Rng) -> Self {
        let n_envs = envs.len();
        Self {
            rngs: envs.iter().map(|_| rng.split()).collect(),
            obs: vec![0.0; n_envs * policy.obs_len()],
            episodes: vec![RunningEpisode::default(); n_envs],
            started: false,
            envs,
        }
    }

    /// Fills the rollout buffer, on at most `n_threads` threads and one per environment. Returns the
    /// episodes that ended, ordered by timestep and then by environment.
    pub(crate) fn collect_rollout(
        &mut self,
        policy: &Policy,
        config: &PpoConfig,
        rng: &mut Rng,
        rollout: &mut RolloutBuffer,
        n_threads: usize,
    ) -> Vec<EpisodeSummary> {
        self.reset_once();
        let n_envs = self.envs.len();
        // All random numbers are drawn here, so that the number of threads does not change the result.
        let uniforms: Vec<f32> = (0..rollout.len()).map(|_| rng.uniform_f32()).collect();
        let envs_per_worker = n_envs.div_ceil(n_threads.min(n_envs));
        let mut workers: Vec<RolloutWorker<'_, E>> = self
            .chunks_mut(envs_per_worker, policy.obs_len())
            .zip(rollout.chunks_mut(envs_per_worker))
            .map(|(envs, rows)| RolloutWorker::new(policy, config, envs, rows, &uniforms, n_envs))
            .collect();
        std::thread::scope(|scope| {
            if let Some((first, others)) = workers.split_first_mut() {
                for worker in others {
                    scope.spawn(|| worker.run());
                }
                first.run();
            }
        });
        let mut ended: Vec<_> =
            workers.into_iter().flat_map(RolloutWorker::into_ended_episodes).collect();
        ended.sort_by_key(|(t, _)| *t);
        ended.into_iter().map(|(_, episode)| episode).collect()
    }

    /// Splits the environments into chunks of `n_envs`; the last chunk may have fewer.
    fn chunks_mut(
        &mut self,
        n_envs: usize,
        obs_len: usize,
    ) -> impl Iterator<Item = EnvChunk<'_, E>> {
        let envs = self.envs.chunks_mut(n_envs).zip(self.rngs.chunks_mut(n_envs));
        let states = self.obs.chunks_mut(n_envs * obs_len).zip(self.episodes.chunks_mut(n_envs));
        envs.zip(states).enumerate().map(move |(chunk_idx, ((envs, rngs), (obs, episodes)))| {
            EnvChunk { first_env_idx: chunk_idx * n_envs, envs, rngs, obs, episodes }
        })
    }

    /// Resets all environments before the first rollout. Not done in [`VecEnv::new`], because the
    /// caller may still configure the environments until then.
    fn reset_once(&mut self) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let obs_len = self.obs.len() / self.envs.len();
        let rows = self.obs.chunks_exact_mut(obs_len);
        for ((env, rng), obs) in self.envs.iter_mut().zip(&mut self.rngs).zip(rows) {
            env.reset(rng, obs);
        }
    }
}

impl<E: ResumableEnv> VecEnv<E> {
    pub(crate) fn state(&self) -> VecEnvState<E::State> {
        VecEnvState {
            envs: self.envs.iter().map(E::state).collect(),
            rngs: self.rngs.clone(),
            obs: self.obs.clone(),
            episodes: self.episodes.clone(),
            started: self.started,
        }
    }

    /// Restores a stored state. The error text says which part does not fit the environments.
    pub(crate) fn restore(&mut self, state: VecEnvState<E::State>) -> Result<(), String> {
        let n_envs = self.envs.len();
        for (what, found, expected) in [
            ("environments", state.envs.len(), n_envs),
            ("random generators", state.rngs.len(), n_envs),
            ("episodes", state.episodes.len(), n_envs),
            ("observation values", state.obs.len(), self.obs.len()),
        ] {
            if found != expected {
                return Err(format!("the checkpoint has {found} {what}, expected {expected}"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Activation, NetArch};
    use crate::env::{EpisodeEnd, Step};
    use crate::rollout::timestep::StepEnd;

    /// Observes the time, counted from 1. Episodes last 3 timesteps and end with `end`.
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

    fn collect<const N: usize>(
        ends: [EpisodeEnd; N],
        n_threads: usize,
    ) -> (Policy, RolloutBuffer, Vec<EpisodeSummary>) {
        let config = PpoConfig {
            n_envs: N,
            n_steps: 4,
            gamma: 0.9,
            gae_lambda: 0.8,
            ..PpoConfig::default()
        };
        let mut rng = Rng::new(1);
        let net_arch = NetArch { pi: vec![], vf: vec![8] };
        let policy = Policy::new(1, 2, net_arch, Activation::Tanh, &mut rng).unwrap();
        let envs = ends.map(|end| Clock { end, time: 0.0 }).into();
        let mut envs = VecEnv::new(envs, &policy, &mut rng);
        let mut rollout = RolloutBuffer::new(&config, 1);
        let ended = envs.collect_rollout(&policy, &config, &mut rng, &mut rollout, n_threads);
        (policy, rollout, ended)
    }

    #[test]
    fn truncated_episode_is_valued_at_its_last_observation_and_a_terminated_one_is_not() {
        let (policy, rollout, _) = collect([EpisodeEnd::Truncated, EpisodeEnd::Terminated], 1);
        let final_value = policy.value(&[4.0], &mut policy.scratch());
        assert_eq!(rollout.steps[2].end, StepEnd::Truncated { final_value });
        assert_eq!(rollout.steps[4 + 2].end, StepEnd::Terminated);
        let want = 4.0 + 0.9 * final_value - rollout.steps[2].value;
        assert!((rollout.advantages[2] - want).abs() < 1e-6);
    }

    #[test]
    fn rows_of_an_environment_are_contiguous_and_a_new_episode_follows_an_ended_one() {
        let (_, rollout, ended) = collect([EpisodeEnd::Truncated, EpisodeEnd::Terminated], 1);
        assert_eq!(rollout.obs, [1.0, 2.0, 3.0, 1.0].repeat(2));
        let summary = |env_idx| EpisodeSummary { reward: 9.0, length: 3, env_idx };
        assert_eq!(ended, [summary(0), summary(1)]);
    }

    #[test]
    fn recorded_probabilities_are_those_of_the_policy() {
        let (policy, rollout, _) = collect([EpisodeEnd::Running; 2], 2);
        let mut scratch = policy.scratch();
        for row in 0..rollout.len() {
            let action = rollout.actions[row] as usize;
            let now = policy.evaluate(rollout.obs(row), action, &mut scratch);
            assert_eq!(now.log_prob.to_bits(), rollout.log_probs[row].to_bits());
            assert_eq!(now.value.to_bits(), rollout.steps[row].value.to_bits());
        }
    }

    #[test]
    fn number_of_threads_does_not_change_the_rollout() {
        use EpisodeEnd::{Running, Terminated, Truncated};
        let ends = [Truncated, Terminated, Running, Truncated, Terminated];
        let (_, expected, expected_ended) = collect(ends, 1);
        for n_threads in [2, 3, 5, 9] {
            let (_, rollout, ended) = collect(ends, n_threads);
            assert_eq!(ended, expected_ended);
            assert_eq!(rollout.actions, expected.actions);
            assert_eq!(rollout.steps, expected.steps);
            assert_eq!(rollout.advantages, expected.advantages);
        }
    }
}
