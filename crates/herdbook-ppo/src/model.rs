//! A model at rest: everything needed to use it, and to continue its training.

use serde_json::{Map, Value};

use crate::adam::{Adam, Moments};
use crate::config::PpoConfig;
use crate::network::policy::Policy;
use crate::network::tensors::{NamedTensor, export};

/// Policy, optimizer and counters, as a stable-baselines3 zip stores them.
///
/// ```
/// # use herdbook_ppo::{Env, EpisodeEnd, PpoConfig, Rng, Step, Trainer};
/// use herdbook_ppo::Model;
/// # struct Coin;
/// # impl Env for Coin {
/// #     fn obs_len(&self) -> usize { 1 }
/// #     fn n_actions(&self) -> usize { 2 }
/// #     fn reset(&mut self, _rng: &mut Rng, obs: &mut [f32]) { obs.fill(0.0); }
/// #     fn step(&mut self, _action: usize, _obs: &mut [f32]) -> Step {
/// #         Step { reward: 0.0, end: EpisodeEnd::Terminated }
/// #     }
/// # }
/// # let trainer = Trainer::new(PpoConfig::default(), vec![Coin], 1)?;
/// let model: Model = trainer.model();
/// let bytes = model.to_zip()?;
/// let read = Model::from_zip(&bytes, "model.zip")?;
/// assert_eq!(read.policy.tensors(), model.policy.tensors());
/// assert_eq!(read.to_zip()?, bytes);
///
/// let error = Model::from_zip(b"no zip", "other.zip").unwrap_err();
/// assert!(error.to_string().starts_with("`other.zip` is not a readable model file"));
/// # Ok::<(), herdbook_ppo::PpoError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Model {
    /// Actor and critic.
    pub policy: Policy,
    /// State of the optimizer, needed to continue training.
    pub adam: Adam,
    /// Timesteps trained so far, over all environments and including those of all parents.
    pub num_timesteps: u64,
    /// Epochs trained so far (stable-baselines3 counts epochs here, not minibatches).
    pub n_updates: u64,
    /// The hyperparameters of its last training.
    pub config: PpoConfig,
    /// Data of the caller, stored under the key `herdbook` of the file's `data`.
    pub extra: Map<String, Value>,
    /// Limits of the observations, or `None` if all components are unbounded.
    pub bounds: Option<Bounds>,
    /// What could not be read from the file, in sentences for the user. Not stored.
    pub notes: Vec<String>,
}

/// Lowest and highest value of each component of an observation; may be infinite.
#[derive(Debug, Clone, PartialEq)]
pub struct Bounds {
    /// One number per component.
    pub low: Vec<f32>,
    /// One number per component.
    pub high: Vec<f32>,
}

impl Model {
    pub(crate) fn new(policy: Policy, adam: Adam, config: PpoConfig) -> Self {
        let (extra, bounds) = (Map::new(), None);
        Self { policy, adam, num_timesteps: 0, n_updates: 0, config, extra, bounds, notes: vec![] }
    }

    /// Adam's running mean of the gradient, in the order of [`Policy::tensors`].
    pub fn exp_avg(&self) -> Vec<NamedTensor> {
        self.export(|moments| &moments.exp_avg)
    }

    /// Adam's running mean of the squared gradient, in the order of [`Policy::tensors`].
    pub fn exp_avg_sq(&self) -> Vec<NamedTensor> {
        self.export(|moments| &moments.exp_avg_sq)
    }

    fn export(&self, which: impl Fn(&Moments) -> &[f32]) -> Vec<NamedTensor> {
        export(&self.policy.networks, self.adam.moments.as_ref().map(which))
    }
}
