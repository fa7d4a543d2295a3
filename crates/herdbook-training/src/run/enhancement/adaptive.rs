//! `adaptive`: the model follows a changing market. Recent bars are drawn more often, the learning rate is controlled by
//! `approx_kl`, the entropy bonus by a target entropy.

use herdbook_ppo::{IterationStats, PpoError, Trainer};
use serde::{Deserialize, Serialize};

use crate::environment::trading_env::TradingEnv;

/// Target of `approx_kl` per iteration. The learning rate is lowered above twice the target and raised below half of it:
/// the rule of PPO's adaptive KL penalty (Schulman 2017, arXiv:1707.06347, section 4), applied to the learning rate.
const TARGET_KL: f64 = 0.02;
/// Factor by which the learning rate changes in one iteration.
const LEARNING_RATE_STEP: f64 = 1.5;
const LEARNING_RATE_RANGE: std::ops::RangeInclusive<f64> = 1e-5..=2e-3;

/// Target entropy in nats: half of the maximum ln 3, so that the policy keeps exploring. The idea of a target entropy is
/// from Haarnoja 2018 (arXiv:1812.05905), the update rule is our own.
const TARGET_ENTROPY: f64 = 0.5 * 1.098_612_288_668_11;
/// Factor by which the entropy coefficient changes in one iteration.
const ENT_COEF_STEP: f64 = 1.3;
const ENT_COEF_RANGE: std::ops::RangeInclusive<f64> = 1e-4..=0.05;

/// Half-life of the weight of a segment by age, as a share of the training window.
const HALF_LIFE: f64 = 0.25;

/// The controlled values. `learning_rate` is `None` before the first iteration.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Adaptive {
    ent_coef: f64,
    /// Absent in checkpoints of an older herdbook, which did not start with the requested value.
    #[serde(default = "default_largest")]
    largest_ent_coef: f64,
    learning_rate: Option<f64>,
}

fn default_largest() -> f64 {
    *ENT_COEF_RANGE.end()
}

impl Adaptive {
    /// `ent_coef` is that of the request: control starts there, and never leaves a range that contains it.
    pub(super) fn new(ent_coef: f64, envs: &mut [TradingEnv]) -> Self {
        for env in envs {
            let n_segments = env.starts_mut().segments().len();
            env.starts_mut().set_weights(&recency_weights(n_segments));
        }
        let ent_coef = ent_coef.max(*ENT_COEF_RANGE.start());
        Self {
            ent_coef,
            largest_ent_coef: ent_coef.max(*ENT_COEF_RANGE.end()),
            learning_rate: None,
        }
    }

    pub(super) fn after_iteration(
        &mut self,
        trainer: &mut Trainer<TradingEnv>,
        stats: &IterationStats,
    ) -> Result<(), PpoError> {
        for env in trainer.envs_mut() {
            env.take_finished();
        }
        let learning_rate = next_learning_rate(trainer.config().learning_rate, stats.approx_kl);
        self.learning_rate = Some(learning_rate);
        self.ent_coef = next_ent_coef(self.ent_coef, stats.entropy, self.largest_ent_coef);
        trainer.set_learning_rate(learning_rate)?;
        trainer.set_ent_coef(self.ent_coef)
    }

    pub(super) fn metrics(&self) -> Vec<(&'static str, f64)> {
        let mut metrics = vec![("training/ent_coef", self.ent_coef)];
        metrics.extend(self.learning_rate.map(|rate| ("training/next_learning_rate", rate)));
        metrics
    }
}

fn recency_weights(n_segments: usize) -> Vec<f64> {
    (0..n_segments)
        .map(|idx| {
            let age = (n_segments - 1 - idx) as f64 / n_segments as f64;
            0.5_f64.powf(age / HALF_LIFE)
        })
        .collect()
}

/// A larger step if the policy changed by less than half of the target, a smaller one above twice the target.
fn next_learning_rate(learning_rate: f64, approx_kl: f64) -> f64 {
    let factor = if approx_kl < TARGET_KL / 2.0 {
        LEARNING_RATE_STEP
    } else if approx_kl > TARGET_KL * 2.0 {
        1.0 / LEARNING_RATE_STEP
    } else {
        1.0
    };
    (learning_rate * factor).clamp(*LEARNING_RATE_RANGE.start(), *LEARNING_RATE_RANGE.end())
}

/// A larger bonus below the target entropy, a smaller one above it.
fn next_ent_coef(ent_coef: f64, entropy: f64, largest: f64) -> f64 {
    let factor = if entropy < TARGET_ENTROPY {
        ENT_COEF_STEP
    } else if entropy > TARGET_ENTROPY {
        1.0 / ENT_COEF_STEP
    } else {
        1.0
    };
    (ent_coef * factor).clamp(*ENT_COEF_RANGE.start(), largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_segment_weighs_sixteen_times_the_oldest() {
        let weights = recency_weights(64);
        assert!(weights.is_sorted());
        assert!((weights[63] / weights[0] - 2_f64.powf(4.0 * 63.0 / 64.0)).abs() < 1e-9);
    }

    #[test]
    fn learning_rate_falls_where_the_policy_changes_too_much() {
        assert!((next_learning_rate(3e-4, 0.05) - 2e-4).abs() < 1e-12);
        assert!((next_learning_rate(3e-4, 0.005) - 4.5e-4).abs() < 1e-12);
        for within in [0.01, 0.02, 0.04] {
            assert!((next_learning_rate(3e-4, within) - 3e-4).abs() < 1e-12, "{within}");
        }
    }

    #[test]
    fn entropy_bonus_grows_where_the_policy_explores_too_little() {
        assert!(next_ent_coef(0.01, TARGET_ENTROPY - 0.1, 0.05) > 0.01);
        assert!(next_ent_coef(0.01, TARGET_ENTROPY + 0.1, 0.05) < 0.01);
    }

    #[test]
    fn controlled_values_stay_in_their_ranges() {
        for (entropy, approx_kl) in [(0.0, 0.0), (1.0, 1.0)] {
            let (mut rate, mut ent_coef) = (3e-4, 0.001);
            for _ in 0..100 {
                rate = next_learning_rate(rate, approx_kl);
                ent_coef = next_ent_coef(ent_coef, entropy, 0.05);
            }
            assert!(LEARNING_RATE_RANGE.contains(&rate) && ENT_COEF_RANGE.contains(&ent_coef));
        }
    }
}
