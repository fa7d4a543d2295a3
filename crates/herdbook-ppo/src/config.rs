//! The hyperparameters, with stable-baselines3's names and defaults.

use serde::{Deserialize, Serialize};

use crate::error::PpoError;

/// The hyperparameters of a training. Names and defaults are those of stable-baselines3's `PPO`.
///
/// ```
/// use herdbook_ppo::PpoConfig;
///
/// let config = PpoConfig { learning_rate: 1e-3, ..PpoConfig::default() };
/// config.validate()?;
/// let error = PpoConfig { gamma: 1.5, ..config }.validate().unwrap_err();
/// assert_eq!(error.to_string(), "`gamma` is `1.5`, but must be a number from 0 to 1");
/// # Ok::<(), herdbook_ppo::PpoError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PpoConfig {
    /// Number of environments.
    pub n_envs: usize,
    /// Timesteps per environment in one rollout.
    pub n_steps: usize,
    /// Timesteps per minibatch; the last minibatch of an epoch may be shorter.
    pub batch_size: usize,
    /// Epochs, that is passes over each rollout.
    pub n_epochs: usize,
    /// Learning rate of Adam.
    pub learning_rate: f64,
    /// Discount factor per timestep, from 0 to 1.
    pub gamma: f64,
    /// λ of generalized advantage estimation (arXiv:1506.02438), from 0 (more bias) to 1 (more
    /// variance).
    pub gae_lambda: f64,
    /// ε of the clipped objective (arXiv:1707.06347, equation 7): the probability ratio of new to old
    /// policy is clipped to `1 ± clip_range`.
    pub clip_range: f64,
    /// How far the value may move from that of the rollout, in units of the return; `None` for no
    /// limit.
    pub clip_range_vf: Option<f64>,
    /// Weight of the entropy bonus.
    pub ent_coef: f64,
    /// Weight of the value loss.
    pub vf_coef: f64,
    /// Largest L2 norm of the gradient of both networks together; a longer gradient is scaled down.
    pub max_grad_norm: f64,
    /// Whether the advantages of each minibatch are scaled to mean 0 and standard deviation 1.
    pub normalize_advantage: bool,
    /// Stops the epochs of a rollout early once `approx_kl` exceeds 1.5 times this value; `None` for
    /// no stop.
    pub target_kl: Option<f64>,
    /// Widths of the hidden layers of the two networks.
    pub net_arch: NetArch,
    /// The nonlinearity after each hidden layer.
    pub activation: Activation,
}

/// Widths of the hidden layers, from the observation towards the output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetArch {
    /// The policy network, or actor.
    pub pi: Vec<usize>,
    /// The value network, or critic.
    pub vf: Vec<usize>,
}

/// The nonlinearity after each hidden layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// Hyperbolic tangent.
    Tanh,
    /// `max(x, 0)`.
    Relu,
}

const FRACTION: &str = "a number from 0 to 1";
const POSITIVE: &str = "a finite number above 0";
const NOT_NEGATIVE: &str = "a finite number, 0 or above";

/// More hidden layers are a mistake, or a file made to exhaust memory.
const MAX_LAYERS: usize = 16;
/// Wider hidden layers are a mistake, or a file made to exhaust memory.
const MAX_WIDTH: usize = 8_192;

/// Observations of one rollout may take 1 GiB.
const MAX_ROLLOUT_FLOATS: usize = 1 << 28;
const ROLLOUT_RANGE: &str = "at most 268435456 divided by `n_envs` and the observation length";

impl Default for PpoConfig {
    fn default() -> Self {
        Self {
            n_envs: 1,
            n_steps: 2_048,
            batch_size: 64,
            n_epochs: 10,
            learning_rate: 3e-4,
            gamma: 0.99,
            gae_lambda: 0.95,
            clip_range: 0.2,
            clip_range_vf: None,
            ent_coef: 0.0,
            vf_coef: 0.5,
            max_grad_norm: 0.5,
            normalize_advantage: true,
            target_kl: None,
            net_arch: NetArch::default(),
            activation: Activation::Tanh,
        }
    }
}

impl Default for NetArch {
    fn default() -> Self {
        Self { pi: vec![64, 64], vf: vec![64, 64] }
    }
}

impl PpoConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// [`PpoError::Config`] for the first field that is out of range.
    pub fn validate(&self) -> Result<(), PpoError> {
        for (field, count) in [
            ("n_envs", self.n_envs),
            ("n_steps", self.n_steps),
            ("batch_size", self.batch_size),
            ("n_epochs", self.n_epochs),
        ] {
            check(
                field,
                count,
                (1..=1 << 24).contains(&count),
                "a whole number from 1 to 16777216",
            )?;
        }
        let rollout_len = self.rollout_len();
        // One advantage has no standard deviation. stable-baselines3 refuses this, too.
        let is_valid = rollout_len > 1 || !self.normalize_advantage;
        check(
            "n_steps",
            self.n_steps,
            is_valid,
            "greater than 1 with `normalize_advantage` and one environment",
        )?;
        self.validate_coefficients()?;
        self.net_arch.validate()
    }

    /// Checks that a rollout with observations of this length fits into 1 GiB.
    ///
    /// # Errors
    /// [`PpoError::Config`] for `n_steps` if it does not.
    pub fn check_rollout(&self, obs_len: usize) -> Result<(), PpoError> {
        let is_valid = self.rollout_len() <= MAX_ROLLOUT_FLOATS / obs_len.max(1);
        check("n_steps", self.n_steps, is_valid, ROLLOUT_RANGE)
    }

    /// Timesteps of one rollout over all environments.
    pub fn rollout_len(&self) -> usize {
        self.n_envs * self.n_steps
    }

    fn validate_coefficients(&self) -> Result<(), PpoError> {
        let fraction = |x: f64| (0.0..=1.0).contains(&x);
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let not_negative = |x: f64| x >= 0.0 && x.is_finite();
        check("learning_rate", self.learning_rate, not_negative(self.learning_rate), NOT_NEGATIVE)?;
        check("gamma", self.gamma, fraction(self.gamma), FRACTION)?;
        check("gae_lambda", self.gae_lambda, fraction(self.gae_lambda), FRACTION)?;
        check("clip_range", self.clip_range, positive(self.clip_range), POSITIVE)?;
        check("ent_coef", self.ent_coef, self.ent_coef.is_finite(), "a finite number")?;
        check("vf_coef", self.vf_coef, not_negative(self.vf_coef), NOT_NEGATIVE)?;
        check("max_grad_norm", self.max_grad_norm, positive(self.max_grad_norm), POSITIVE)?;
        for (field, limit) in [("clip_range_vf", self.clip_range_vf), ("target_kl", self.target_kl)]
        {
            let value = limit.unwrap_or(1.0);
            check(field, value, positive(value), "absent, or a finite number above 0")?;
        }
        Ok(())
    }
}

impl std::fmt::Display for NetArch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{{pi: {:?}, vf: {:?}}}", self.pi, self.vf)
    }
}

impl std::fmt::Display for Activation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tanh => "tanh",
            Self::Relu => "relu",
        })
    }
}

impl NetArch {
    fn validate(&self) -> Result<(), PpoError> {
        for (field, widths) in [("net_arch.pi", &self.pi), ("net_arch.vf", &self.vf)] {
            let is_valid =
                widths.len() <= MAX_LAYERS && widths.iter().all(|w| (1..=MAX_WIDTH).contains(w));
            check(field, format!("{widths:?}"), is_valid, "at most 16 widths from 1 to 8192")?;
        }
        Ok(())
    }
}

/// Returns [`PpoError::Config`] unless `is_valid`.
pub(crate) fn check(
    field: &'static str,
    value: impl std::fmt::Display,
    is_valid: bool,
    expected: &'static str,
) -> Result<(), PpoError> {
    if is_valid {
        return Ok(());
    }
    Err(PpoError::Config { field, value: value.to_string(), expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(change: impl FnOnce(&mut PpoConfig)) -> String {
        let mut config = PpoConfig::default();
        change(&mut config);
        config.validate().unwrap_err().to_string()
    }

    #[test]
    fn defaults_are_valid() {
        PpoConfig::default().validate().unwrap();
    }

    #[test]
    fn error_names_field_value_and_range() {
        assert_eq!(
            message(|c| c.gamma = 1.5),
            "`gamma` is `1.5`, but must be a number from 0 to 1"
        );
        assert_eq!(
            message(|c| c.n_epochs = 0),
            "`n_epochs` is `0`, but must be a whole number from 1 to 16777216"
        );
        assert_eq!(
            message(|c| c.net_arch.vf = vec![64, 0]),
            "`net_arch.vf` is `[64, 0]`, but must be at most 16 widths from 1 to 8192"
        );
    }

    #[test]
    fn numbers_that_are_not_finite_are_refused() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            message(|c| c.learning_rate = bad);
            message(|c| c.gamma = bad);
            message(|c| c.ent_coef = bad);
            message(|c| c.target_kl = Some(bad));
            message(|c| c.clip_range_vf = Some(bad));
        }
    }

    #[test]
    fn one_timestep_cannot_be_normalized() {
        message(|c| c.n_steps = 1);
        let single = PpoConfig { n_steps: 1, normalize_advantage: false, ..PpoConfig::default() };
        single.validate().unwrap();
    }
}
