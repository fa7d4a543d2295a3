//! Long-run variance of a series: that of its mean, times the number of values, with autocorrelation.

use crate::metrics::basics::finite;

/// Largest prewhitening coefficient, against a division by nearly 0 (Andrews, Monahan 1992).
const MAX_COEFFICIENT: f64 = 0.97;

/// The long-run variance by a Parzen kernel after prewhitening with an autoregression of order 1 (Andrews, Monahan 1992),
/// with the automatic bandwidth of Andrews 1991. `values` must have a mean of about 0. `None` for fewer than ten values.
///
/// Ledoit, Wolf 2008 use this estimator for the data themselves.
pub(super) fn long_run_variance(values: &[f64]) -> Option<f64> {
    const MIN_VALUES: usize = 10;
    if values.len() < MIN_VALUES {
        return None;
    }
    let coefficient = autocorrelation(values)?.clamp(-MAX_COEFFICIENT, MAX_COEFFICIENT);
    let residuals: Vec<f64> =
        values.windows(2).map(|pair| pair[1] - coefficient * pair[0]).collect();
    let n = residuals.len() as f64;
    let rest = autocorrelation(&residuals)?.clamp(-MAX_COEFFICIENT, MAX_COEFFICIENT);
    let curvature = 4.0 * rest * rest / (1.0 - rest).powi(4);
    // 2.6614 is the constant of the Parzen kernel (Andrews 1991, equation 6.2).
    let bandwidth = 2.6614 * libm::pow(curvature * n, 0.2);
    let mut sum = covariance(&residuals, 0);
    let mut lag = 1;
    while (lag as f64) < bandwidth && lag < residuals.len() {
        sum += 2.0 * parzen(lag as f64 / bandwidth) * covariance(&residuals, lag);
        lag += 1;
    }
    finite(sum / (1.0 - coefficient).powi(2)).filter(|variance| *variance > 0.0)
}

fn parzen(x: f64) -> f64 {
    if x <= 0.5 { 1.0 - 6.0 * x * x * (1.0 - x) } else { 2.0 * (1.0 - x).powi(3) }
}

/// First autocorrelation around 0.
fn autocorrelation(values: &[f64]) -> Option<f64> {
    finite(covariance(values, 1) / covariance(values, 0))
}

fn covariance(values: &[f64], lag: usize) -> f64 {
    let products = values[lag..].iter().zip(values).map(|(late, early)| late * early);
    products.sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::super::bootstrap::SplitMix;
    use super::*;

    /// An autoregression of order 1 with innovations of variance 1.
    fn series(coefficient: f64) -> Vec<f64> {
        let mut draws = SplitMix::default();
        let mut value = 0.0;
        let mut next = || {
            let uniform = draws.below(1_000_000) as f64 / 1e6 - 0.5;
            value = coefficient * value + uniform * 12.0_f64.sqrt();
            value
        };
        (0..50_000).map(|_| next()).collect()
    }

    #[test]
    fn variance_of_an_autoregression_is_the_known_one() {
        for coefficient in [-0.5, 0.0, 0.3, 0.8] {
            let known = 1.0 / (1.0_f64 - coefficient).powi(2);
            let found = long_run_variance(&series(coefficient)).unwrap();
            assert!((found / known - 1.0).abs() < 0.06, "{coefficient}: {found} for {known}");
        }
    }

    #[test]
    fn equal_or_few_values_have_none() {
        assert_eq!(long_run_variance(&[0.0; 100]), None);
        assert_eq!(long_run_variance(&[1.0, -1.0, 1.0]), None);
    }
}
