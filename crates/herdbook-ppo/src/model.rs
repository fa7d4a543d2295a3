//! A model at rest: everything needed to use it, and to go on training it.

use serde_json::{Map, Value};

use crate::adam::Moments;
use crate::{Adam, NamedTensor, Policy, PpoConfig, PpoError, file, policy};

/// Policy, optimizer and counters, as a stable-baselines3 zip stores them.
#[derive(Debug, Clone)]
pub struct Model {
    /// What acts.
    pub policy: Policy,
    /// State of the optimizer, for training on.
    pub adam: Adam,
    /// Timesteps behind the model, over all environments and all its parents.
    pub num_timesteps: u64,
    /// Epochs behind the model (stable-baselines3 counts those, not minibatches).
    pub n_updates: u64,
    /// The hyperparameters of its last training.
    pub config: PpoConfig,
    /// Stored under the key `herdbook`; what it holds is up to the caller.
    pub extra: Map<String, Value>,
    /// Limits of the observations; none when they have none.
    pub bounds: Option<Bounds>,
    /// What reading the file had to leave behind, in sentences for the user. Not stored.
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
    /// The longest observation, and the most actions, of any model: more is a mistake, or a file
    /// made to exhaust memory.
    pub(crate) const MAX_SPACE: usize = 1 << 16;
    /// The most weights, padding included, for the same reason.
    pub(crate) const MAX_PARAMETERS: usize = 1 << 24;

    pub(crate) fn new(policy: Policy, adam: Adam, config: PpoConfig) -> Self {
        let (extra, bounds) = (Map::new(), None);
        Self { policy, adam, num_timesteps: 0, n_updates: 0, config, extra, bounds, notes: vec![] }
    }

    /// Adam's running mean of the gradient, tensor by tensor.
    pub fn exp_avg(&self) -> Vec<NamedTensor> {
        self.export(|moments| &moments.exp_avg)
    }

    /// Adam's running mean of the squared gradient, tensor by tensor.
    pub fn exp_avg_sq(&self) -> Vec<NamedTensor> {
        self.export(|moments| &moments.exp_avg_sq)
    }

    fn export(&self, which: impl Fn(&Moments) -> &[f32]) -> Vec<NamedTensor> {
        policy::export(&self.policy.network, self.adam.moments.as_ref().map(which))
    }

    /// The zip that stable-baselines3's `PPO.load` reads. Equal models give equal bytes.
    pub fn to_zip(&self) -> Result<Vec<u8>, PpoError> {
        file::write(self)
    }

    /// Reads a zip written by herdbook or by stable-baselines3. Nothing in it is executed; whatever
    /// is not the data of such a model is refused. `source` names the bytes in errors.
    pub fn from_zip(bytes: &[u8], source: &str) -> Result<Self, PpoError> {
        file::read(bytes, source)
    }
}
