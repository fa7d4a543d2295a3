//! Playing the policy in its environments for a fixed number of timesteps.

use serde::{Deserialize, Serialize};

use crate::loss::Sample;
use crate::player::{Player, Seats};
use crate::returns::{self, Discount, StepEnd, Timestep};
use crate::{Env, EpisodeSummary, Policy, PpoConfig, Rng};

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

/// The rows of some environments that stand side by side.
#[derive(Debug)]
pub(crate) struct RolloutPart<'a> {
    pub(crate) n_steps: usize,
    pub(crate) obs_len: usize,
    pub(crate) obs: &'a mut [f32],
    pub(crate) actions: &'a mut [u32],
    pub(crate) log_probs: &'a mut [f32],
    pub(crate) steps: &'a mut [Timestep],
    pub(crate) advantages: &'a mut [f32],
    pub(crate) returns: &'a mut [f32],
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
    pub(crate) reward: f64,
    pub(crate) length: u32,
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

    /// What the update needs of one row, besides its observation.
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
        returns::explained_variance(self.steps.iter().map(|step| step.value), &self.returns)
    }

    pub(crate) fn mean_reward(&self) -> f64 {
        // A truncated timestep's reward stays apart from its bootstrap, so this is what was earned.
        self.steps.iter().map(|step| f64::from(step.reward)).sum::<f64>() / self.len() as f64
    }

    /// The rows of each group of `n_envs` environments; the last group may have fewer.
    fn parts(&mut self, n_envs: usize) -> impl Iterator<Item = RolloutPart<'_>> {
        let (n_steps, obs_len) = (self.n_steps, self.obs_len);
        let rows = n_envs * n_steps;
        let obs = self.obs.chunks_mut(rows * obs_len);
        let drawn = self.actions.chunks_mut(rows).zip(self.log_probs.chunks_mut(rows));
        let judged = self.advantages.chunks_mut(rows).zip(self.returns.chunks_mut(rows));
        obs.zip(self.steps.chunks_mut(rows)).zip(drawn.zip(judged)).map(
            move |((obs, steps), ((actions, log_probs), (advantages, returns)))| RolloutPart {
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

impl<E: Env> Actors<E> {
    /// Takes the environments over; each gets its own stream of `rng`.
    pub(crate) fn new(envs: Vec<E>, policy: &Policy, rng: &mut Rng) -> Self {
        let n_envs = envs.len();
        Self {
            rngs: envs.iter().map(|_| rng.split()).collect(),
            obs: vec![0.0; n_envs * policy.obs_len()],
            episodes: vec![EpisodeSoFar::default(); n_envs],
            started: false,
            envs,
        }
    }

    /// Plays one rollout on as many threads as there are, or as there are environments; gives the episodes that ended
    /// in it, in order.
    pub(crate) fn play(
        &mut self,
        policy: &Policy,
        discount: Discount,
        rng: &mut Rng,
        rollout: &mut Rollout,
        n_threads: usize,
    ) -> Vec<EpisodeSummary> {
        self.start();
        let n_envs = self.envs.len();
        // Drawn here, so that who plays which environment makes no difference.
        let draws: Vec<f32> = (0..rollout.len()).map(|_| rng.uniform_f32()).collect();
        let group = n_envs.div_ceil(n_threads.min(n_envs));
        let obs_len = policy.obs_len();
        let envs = self.envs.chunks_mut(group).zip(self.rngs.chunks_mut(group));
        let states = self.obs.chunks_mut(group * obs_len).zip(self.episodes.chunks_mut(group));
        let seats =
            envs.zip(states).enumerate().map(|(group_idx, ((envs, rngs), (obs, episodes)))| {
                let first = group_idx * group;
                Seats { first, envs, rngs, obs, episodes }
            });
        let mut players: Vec<Player<'_, E>> = seats
            .zip(rollout.parts(group))
            .map(|(seats, part)| Player::new(policy, seats, part, &draws, n_envs, discount))
            .collect();
        std::thread::scope(|scope| {
            if let Some((here, elsewhere)) = players.split_first_mut() {
                for player in elsewhere {
                    scope.spawn(|| player.play());
                }
                here.play();
            }
        });
        let mut ended: Vec<_> = players.into_iter().flat_map(Player::into_ended).collect();
        ended.sort_by_key(|(t, _)| *t);
        ended.into_iter().map(|(_, episode)| episode).collect()
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Activation, EpisodeEnd, NetArch, Step};

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

    fn played<const N: usize>(
        ends: [EpisodeEnd; N],
        n_threads: usize,
    ) -> (Policy, Rollout, Vec<EpisodeSummary>) {
        let config = PpoConfig { n_envs: N, n_steps: 4, ..PpoConfig::default() };
        let mut rng = Rng::new(1);
        let net_arch = NetArch { pi: vec![], vf: vec![8] };
        let policy = Policy::new(1, 2, net_arch, Activation::Tanh, &mut rng).unwrap();
        let envs = ends.map(|end| Clock { end, time: 0.0 }).into();
        let mut actors = Actors::new(envs, &policy, &mut rng);
        let mut rollout = Rollout::new(&config, 1);
        let discount = Discount { gamma: 0.9, lambda: 0.8 };
        let ended = actors.play(&policy, discount, &mut rng, &mut rollout, n_threads);
        (policy, rollout, ended)
    }

    #[test]
    fn truncated_episode_is_valued_at_its_last_observation_and_a_terminated_one_is_not() {
        let (policy, rollout, _) = played([EpisodeEnd::Truncated, EpisodeEnd::Terminated], 1);
        let final_value = policy.value(&[4.0], &mut policy.scratch());
        assert_eq!(rollout.steps[2].end, StepEnd::Truncated { final_value });
        assert_eq!(rollout.steps[4 + 2].end, StepEnd::Terminated);
        let want = 4.0 + 0.9 * final_value - rollout.steps[2].value;
        assert!((rollout.advantages[2] - want).abs() < 1e-6);
    }

    #[test]
    fn timesteps_of_an_environment_stand_together_and_start_anew_after_an_end() {
        let (_, rollout, ended) = played([EpisodeEnd::Truncated, EpisodeEnd::Terminated], 1);
        assert_eq!(rollout.obs, [1.0, 2.0, 3.0, 1.0].repeat(2));
        let summary = |env_idx| EpisodeSummary { reward: 9.0, length: 3, env_idx };
        assert_eq!(ended, [summary(0), summary(1)]);
    }

    #[test]
    fn recorded_probabilities_are_those_of_the_policy() {
        let (policy, rollout, _) = played([EpisodeEnd::Running; 2], 2);
        let mut scratch = policy.scratch();
        for row in 0..rollout.len() {
            let action = rollout.actions[row] as usize;
            let now = policy.evaluate(rollout.obs(row), action, &mut scratch);
            assert_eq!(now.log_prob.to_bits(), rollout.log_probs[row].to_bits());
            assert_eq!(now.value.to_bits(), rollout.steps[row].value.to_bits());
        }
    }

    #[test]
    fn rollout_is_the_same_whatever_the_number_of_threads() {
        use EpisodeEnd::{Running, Terminated, Truncated};
        let ends = [Truncated, Terminated, Running, Truncated, Terminated];
        let (_, alone, ended) = played(ends, 1);
        for n_threads in [2, 3, 5, 9] {
            let (_, together, ended_together) = played(ends, n_threads);
            assert_eq!(ended_together, ended);
            assert_eq!(together.actions, alone.actions);
            assert_eq!(together.steps, alone.steps);
            assert_eq!(together.advantages, alone.advantages);
        }
    }
}
