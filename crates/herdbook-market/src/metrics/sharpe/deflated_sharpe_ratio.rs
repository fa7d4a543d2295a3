//! Deflated Sharpe ratio (Bailey, López de Prado 2014), which is not the differential Sharpe ratio.

use std::f64::consts::E;

use super::estimate::SharpeEstimate;
use super::normal;
use super::probabilistic_sharpe_ratio::probabilistic_sharpe_ratio;
use crate::metrics::basics::{finite, sample_deviation};

/// The Euler–Mascheroni constant γ.
const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;

/// The trials from which a model was selected: all models whose results were seen, failed ones included.
///
/// A deflated Sharpe ratio means nothing without them: report them with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trials {
    /// Number of trials; not a whole number where correlated trials count less.
    pub count: f64,
    /// Sample variance of their Sharpe ratios per bar; `None` for fewer than two.
    pub variance: Option<f64>,
}

impl Trials {
    /// Trials with these Sharpe ratios per bar. Undefined ones count as trials, but not for the variance.
    pub fn of(sharpes_per_bar: &[Option<f64>]) -> Self {
        let defined: Vec<f64> = sharpes_per_bar.iter().flatten().copied().collect();
        let variance = sample_deviation(&defined).map(|deviation| deviation * deviation);
        Self { count: sharpes_per_bar.len() as f64, variance }
    }

    /// The trials with the effective number of independent ones, `ρ̄ + (1 − ρ̄)·N`, at least 1, where ρ̄ is the mean pairwise
    /// correlation of their returns.
    #[must_use]
    pub fn effective(self, mean_correlation: f64) -> Self {
        let count = mean_correlation + (1.0 - mean_correlation) * self.count;
        Self { count: count.max(1.0), ..self }
    }
}

/// Approximate expected maximum of N standard normal values, `z_N = (1 − γ)·Φ⁻¹(1 − 1/N) + γ·Φ⁻¹(1 − 1/(N·e))`; 0 for
/// `count` = 1, `None` for less.
pub fn expected_max_z(count: f64) -> Option<f64> {
    if count <= 1.0 {
        return (count >= 1.0).then_some(0.0);
    }
    // By symmetry this is -Φ⁻¹(1/N); with many trials, 1 − 1/N would lose digits.
    let upper = |tail: f64| normal::quantile(tail).map(|x| -x);
    finite((1.0 - EULER_GAMMA) * upper(1.0 / count)? + EULER_GAMMA * upper(1.0 / (count * E))?)
}

/// Expected maximum of the Sharpe ratios per bar of trials without skill, `√Var · z_N`. 0 for one trial; `None` for
/// several trials without a variance.
pub fn expected_max_sharpe(trials: Trials) -> Option<f64> {
    let z = expected_max_z(trials.count)?;
    if z == 0.0 { Some(0.0) } else { finite(trials.variance?.sqrt() * z) }
}

/// The probabilistic Sharpe ratio against the expected result of luck alone: `PSR(SR_0)`, with `SR_0` from
/// [`expected_max_sharpe`]. For one trial it is `PSR(0)`. `None` where either is undefined.
pub fn deflated_sharpe_ratio(estimate: &SharpeEstimate, trials: Trials) -> Option<f64> {
    probabilistic_sharpe_ratio(estimate, expected_max_sharpe(trials)?)
}
