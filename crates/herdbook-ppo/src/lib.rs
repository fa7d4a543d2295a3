//! Proximal policy optimization (PPO, arXiv:1707.06347) as stable-baselines3 2.9 does it:
//! environment trait, rollout, advantages, policy, update, and the model file both can read.
//!
//! This crate knows nothing of runs, stages or markets. It does no IO: environments, seeds and the
//! bytes of model files come in as arguments. The same configuration and seed give the same model,
//! bit for bit, on every machine with the same vector instructions.
//!
//! ```
//! use herdbook_ppo::{Env, EpisodeEnd, PpoConfig, Rng, Step, Trainer};
//!
//! /// One step per episode; action 1 is the better one.
//! struct Bandit;
//!
//! impl Env for Bandit {
//!     fn obs_len(&self) -> usize { 1 }
//!     fn n_actions(&self) -> usize { 2 }
//!     fn reset(&mut self, _rng: &mut Rng, obs: &mut [f32]) { obs.fill(1.0); }
//!     fn step(&mut self, action: usize, _obs: &mut [f32]) -> Step {
//!         Step { reward: action as f32, end: EpisodeEnd::Terminated }
//!     }
//! }
//!
//! let config = PpoConfig { n_steps: 256, ..PpoConfig::default() };
//! let mut trainer = Trainer::new(config, vec![Bandit], 7)?;
//! while trainer.num_timesteps() < 2_048 {
//!     trainer.iterate();
//! }
//! let mut scratch = trainer.policy().scratch();
//! assert_eq!(trainer.policy().act_deterministic(&[1.0], &mut scratch), 1);
//! # Ok::<(), herdbook_ppo::PpoError>(())
//! ```

mod adam;
mod both;
mod config;
mod env;
mod error;
mod file;
#[cfg(test)]
mod gradient_check;
mod init;
mod loss;
mod math;
mod meeting;
mod model;
mod network;
mod onnx;
mod player;
mod policy;
mod returns;
mod rng;
mod rollout;
#[cfg(test)]
mod sb3_check;
mod side;
mod snapshot;
mod stats;
mod trainer;
mod update;

pub use adam::Adam;
pub use config::{Activation, NetArch, PpoConfig};
pub use env::{Env, EpisodeEnd, Step};
pub use error::PpoError;
pub use model::{Bounds, Model};
pub use policy::{Evaluation, NamedTensor, Policy, Scratch};
pub use rng::Rng;
pub use snapshot::{ResumableEnv, Snapshot};
pub use stats::{EpisodeSummary, IterationStats};
pub use trainer::Trainer;
