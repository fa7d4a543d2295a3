//! Proximal policy optimization (PPO, arXiv:1707.06347), compatible with stable-baselines3 2.9: same
//! algorithm, same hyperparameters, and model files that both can read.
//!
//! Implement [`Env`], train with [`Trainer`], store and read [`Model`]s, and act with a [`Policy`].
//!
//! This crate knows nothing of runs, stages or markets. It does no IO: environments, seeds and the
//! bytes of model files come in as arguments. The same configuration, environments and seed give the
//! same model, bit for bit, on every machine with the same vector instructions.
//!
//! ```
//! use herdbook_ppo::{Env, EpisodeEnd, PpoConfig, Rng, Step, Trainer};
//!
//! /// Episodes of one timestep, in which action 1 gives a reward.
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
#[cfg(test)]
mod checks;
mod config;
mod env;
mod error;
mod file;
mod math;
mod model;
mod network;
mod onnx;
mod rng;
mod rollout;
mod snapshot;
mod stats;
mod trainer;
mod update;

pub use adam::Adam;
pub use config::{Activation, NetArch, PpoConfig};
pub use env::{Env, EpisodeEnd, ResumableEnv, Step};
pub use error::PpoError;
pub use file::facts::ModelFacts;
pub use model::{Bounds, Model};
pub use network::policy::{Evaluation, Policy, Scratch};
pub use network::tensors::NamedTensor;
pub use rng::Rng;
pub use snapshot::Snapshot;
pub use stats::{EpisodeSummary, IterationStats};
pub use trainer::Trainer;
