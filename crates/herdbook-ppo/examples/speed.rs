//! Prints timesteps per second of whole iterations, with an environment that costs almost nothing.
//! For profiling: `cargo build --release --example speed`, then run it under a profiler.
#![expect(clippy::print_stdout, reason = "an example prints its results")]
#![expect(clippy::disallowed_methods, reason = "an example may measure time")]

use std::num::NonZeroUsize;
use std::time::Instant;

use herdbook_ppo::{Env, EpisodeEnd, Policy, PpoConfig, PpoError, Rng, Step, Trainer};

const OBS_LEN: usize = 35;
const EPISODE_LEN: u32 = 512;
const ITERATIONS: u32 = 40;
const ACTS: usize = 1_000_000;

/// Observations are windows of a fixed series. The reward depends on the sign of the first number.
struct StandIn {
    numbers: Vec<f32>,
    t: u32,
}

impl StandIn {
    fn observe(&self, obs: &mut [f32]) {
        let start = (self.t as usize * 7) % (self.numbers.len() - OBS_LEN);
        obs.copy_from_slice(&self.numbers[start..start + OBS_LEN]);
    }
}

impl Env for StandIn {
    fn obs_len(&self) -> usize {
        OBS_LEN
    }

    fn n_actions(&self) -> usize {
        3
    }

    fn reset(&mut self, _rng: &mut Rng, obs: &mut [f32]) {
        self.t = 0;
        self.observe(obs);
    }

    fn step(&mut self, action: usize, obs: &mut [f32]) -> Step {
        let reward = (action as f32 - 1.0) * obs[0];
        self.t += 1;
        self.observe(obs);
        let end = if self.t == EPISODE_LEN { EpisodeEnd::Truncated } else { EpisodeEnd::Running };
        Step { reward, end }
    }
}

fn main() -> Result<(), PpoError> {
    let mut rng = Rng::new(1);
    let numbers: Vec<f32> = (0..4_096).map(|_| rng.normal() as f32).collect();
    for (n_envs, n_threads) in [(1, 1), (1, 2), (8, 1), (8, 2)] {
        let config = PpoConfig { n_envs, n_steps: 2_048 / n_envs, ..PpoConfig::default() };
        let envs = (0..n_envs).map(|_| StandIn { numbers: numbers.clone(), t: 0 }).collect();
        let mut trainer = Trainer::new(config, envs, 7)?;
        trainer.set_threads(NonZeroUsize::new(n_threads).expect("1 and 2 are not 0"));
        trainer.iterate();
        let (before, start) = (trainer.num_timesteps(), Instant::now());
        let reward = (0..ITERATIONS).map(|_| trainer.iterate().mean_step_reward).last();
        let rate = (trainer.num_timesteps() - before) as f64 / start.elapsed().as_secs_f64();
        println!(
            "{n_envs} environments, {n_threads} threads: {rate:.0} timesteps/s, mean reward {reward:.3?}"
        );
        act(trainer.policy(), &numbers);
    }
    Ok(())
}

/// Times a policy that acts on one observation at a time, as in a backtest.
fn act(policy: &Policy, numbers: &[f32]) {
    let (mut scratch, start) = (policy.scratch(), Instant::now());
    let observations = numbers.windows(OBS_LEN).cycle().take(ACTS);
    let sum: usize = observations.map(|obs| policy.act_deterministic(obs, &mut scratch)).sum();
    let each_ns = start.elapsed().as_secs_f64() * 1e9 / ACTS as f64;
    println!("one action: {each_ns:.0} ns (sum of {ACTS}: {sum})");
}
