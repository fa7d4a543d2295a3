//! The hyperparameters, with stable-baselines3's names and defaults.

use serde::{Deserialize, Serialize};

use crate::PpoError;

/// Everything that shapes the training of one model, besides its environments and its seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PpoConfig {
    /// Environments stepped side by side.
    pub n_envs: usize,
    /// Timesteps per environment and rollout.
    pub n_steps: usize,
    /// Samples per minibatch; the last one of an epoch may be shorter.
    pub batch_size: usize,
    /// Passes over each rollout.
    pub n_epochs: usize,
    /// Step size of Adam.
    pub learning_rate: f64,
    /// Discount per timestep.
    pub gamma: f64,
    /// Trade between bias (0) and variance (1) of the advantages.
    pub gae_lambda: f64,
    /// How far the probability ratio may move from 1 and still be rewarded for it.
    pub clip_range: f64,
    /// The same for the value, in units of the reward; none leaves it free.
    pub clip_range_vf: Option<f64>,
    /// Weight of the entropy bonus.
    pub ent_coef: f64,
    /// Weight of the value loss.
    pub vf_coef: f64,
    /// Largest length of the gradient.
    pub max_grad_norm: f64,
    /// Whether each minibatch's advantages are brought to mean 0 and standard deviation 1.
    pub normalize_advantage: bool,
    /// The rollout's epochs end early once `approx_kl` exceeds 1.5 times this.
    pub target_kl: Option<f64>,
    /// Hidden layers of the two networks.
    pub net_arch: NetArch,
    /// What follows each hidden layer.
    pub activation: Activation,
}

/// Widths of the hidden layers, from the observation on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetArch {
    /// Of the policy network.
    pub pi: Vec<usize>,
    /// Of the value network.
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

/// Layers and widths beyond this are a mistake, or a file made to exhaust memory.
const MAX_LAYERS: usize = 16;
const MAX_WIDTH: usize = 8_192;

/// Memory for the observations of one rollout: 1 GiB.
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
    /// Checks every field; the first one out of range is named.
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
        let rollout_len = self.n_envs * self.n_steps;
        // The spread of one advantage is undefined; stable-baselines3 refuses the same.
        let usable = rollout_len > 1 || !self.normalize_advantage;
        check(
            "n_steps",
            self.n_steps,
            usable,
            "greater than 1 with `normalize_advantage` and one environment",
        )?;
        self.validate_coefficients()?;
        self.net_arch.validate()
    }

    /// Checks that a rollout of observations of this length is not too large to be held.
    pub fn check_rollout(&self, obs_len: usize) -> Result<(), PpoError> {
        let sound = self.rollout_len() <= MAX_ROLLOUT_FLOATS / obs_len.max(1);
        check("n_steps", self.n_steps, sound, ROLLOUT_RANGE)
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
            let sound =
                widths.len() <= MAX_LAYERS && widths.iter().all(|w| (1..=MAX_WIDTH).contains(w));
            check(field, format!("{widths:?}"), sound, "at most 16 widths from 1 to 8192")?;
        }
        Ok(())
    }
}

/// The error that `field` has this value and not an expected one, unless it is sound.
pub(crate) fn check(
    field: &'static str,
    value: impl std::fmt::Display,
    sound: bool,
    expected: &'static str,
) -> Result<(), PpoError> {
    if sound {
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
