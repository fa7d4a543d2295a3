//! Trains a policy to walk along a corridor, stores it, reads it back and lets it walk:
//! `cargo run --release -p herdbook-ppo --example train`.
#![expect(clippy::print_stdout, reason = "an example prints its results")]

use herdbook_ppo::{Env, EpisodeEnd, Model, PpoConfig, PpoError, Rng, Step, Trainer};

const LENGTH: u32 = 10;
const TIME_LIMIT: u32 = 50;

/// A corridor with an exit at its right end. Each timestep costs 0.1, and the exit is worth 1.
#[derive(Default)]
struct Corridor {
    position: u32,
    time: u32,
}

impl Corridor {
    fn observe(&self, obs: &mut [f32]) {
        obs[0] = self.position as f32 / LENGTH as f32;
    }
}

impl Env for Corridor {
    fn obs_len(&self) -> usize {
        1
    }

    /// Action 0 walks to the left, action 1 to the right.
    fn n_actions(&self) -> usize {
        2
    }

    fn reset(&mut self, rng: &mut Rng, obs: &mut [f32]) {
        *self = Self { position: rng.below(LENGTH as usize) as u32, time: 0 };
        self.observe(obs);
    }

    fn step(&mut self, action: usize, obs: &mut [f32]) -> Step {
        self.time += 1;
        self.position =
            if action == 1 { self.position + 1 } else { self.position.saturating_sub(1) };
        self.observe(obs);
        if self.position == LENGTH {
            Step { reward: 1.0, end: EpisodeEnd::Terminated }
        } else if self.time == TIME_LIMIT {
            Step { reward: -0.1, end: EpisodeEnd::Truncated }
        } else {
            Step { reward: -0.1, end: EpisodeEnd::Running }
        }
    }
}

fn main() -> Result<(), PpoError> {
    let config = PpoConfig { n_envs: 4, n_steps: 128, ..PpoConfig::default() };
    let envs = (0..4).map(|_| Corridor::default()).collect();
    let mut trainer = Trainer::new(config, envs, 1)?;
    while trainer.num_timesteps() < 10_000 {
        let stats = trainer.iterate();
        let reward = stats.mean_episode_reward().unwrap_or(f64::NAN);
        println!("{:>6} timesteps: mean episode reward {reward:.2}", stats.num_timesteps);
    }

    let bytes = trainer.model().to_zip()?;
    let policy = Model::from_zip(&bytes, "corridor.zip")?.policy;
    let (mut scratch, mut obs) = (policy.scratch(), [0.0]);
    let mut env = Corridor::default();
    env.observe(&mut obs);
    while env.step(policy.act_deterministic(&obs, &mut scratch), &mut obs).end
        == EpisodeEnd::Running
    {}
    println!("from the left end, the exit is reached after {} timesteps", env.time);
    Ok(())
}
