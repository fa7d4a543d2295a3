//! Deflated Sharpe ratio (Bailey, López de Prado 2014): not to be confused with the differential one.

use std::f64::consts::E;

use super::{SharpeEstimate, finite, normal, probabilistic_sharpe_ratio, sample_deviation};

/// The Euler–Mascheroni constant γ.
const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

/// All models whose result anyone could have picked, failed ones too if their figure was seen.
///
/// A deflated Sharpe ratio cannot be read without them: report them beside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trials {
    /// How many; not whole where correlated ones count for fewer.
    pub count: f64,
    /// Variance of their Sharpe ratios per bar, divisor one less; `None` of fewer than two.
    pub variance: Option<f64>,
}

impl Trials {
    /// Trials by their Sharpe ratios per bar, where those are defined.
    pub fn of(sharpes_per_bar: &[Option<f64>]) -> Self {
        let defined: Vec<f64> = sharpes_per_bar.iter().flatten().copied().collect();
        let variance = sample_deviation(&defined).map(|deviation| deviation * deviation);
        Self { count: sharpes_per_bar.len() as f64, variance }
    }

    /// `ρ̄ + (1 − ρ̄)·N`: trials whose returns have the mean pairwise correlation ρ̄ count for fewer, for one at
    /// least.
    #[must_use]
    pub fn effective(self, mean_correlation: f64) -> Self {
        let count = mean_correlation + (1.0 - mean_correlation) * self.count;
        Self { count: count.max(1.0), ..self }
    }
}

/// `z_N = (1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e))`: about what the largest of N standard normal values is
/// expected to be; 0 of one. `None` of fewer than one.
pub fn expected_max_z(count: f64) -> Option<f64> {
    if count <= 1.0 {
        return (count >= 1.0).then_some(0.0);
    }
    // By symmetry -Φ⁻¹(1/N): of many trials, 1 − 1/N would lose its digits.
    let upper = |tail: f64| normal::quantile(tail).map(|x| -x);
    finite((1.0 - EULER_GAMMA) * upper(1.0 / count)? + EULER_GAMMA * upper(1.0 / (count * E))?)
}

/// `√Var · z_N`: the Sharpe ratio per bar that the best of so many trials shows without any skill. 0 of one trial;
/// `None` where more than one has no variance.
pub fn expected_max_sharpe(trials: Trials) -> Option<f64> {
    let z = expected_max_z(trials.count)?;
    if z == 0.0 { Some(0.0) } else { finite(trials.variance?.sqrt() * z) }
}

/// The probabilistic Sharpe ratio against what luck alone shows: `PSR(SR_0)`, with `SR_0` from
/// [`expected_max_sharpe`]. Of one trial it is `PSR(0)`. `None` where either part is.
pub fn deflated_sharpe_ratio(estimate: &SharpeEstimate, trials: Trials) -> Option<f64> {
    probabilistic_sharpe_ratio(estimate, expected_max_sharpe(trials)?)
}
