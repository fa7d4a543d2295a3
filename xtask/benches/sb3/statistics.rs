//! Means and the confidence interval of their difference.

use herdbook_ppo::Rng;

const N_RESAMPLES: usize = 10_000;

pub(crate) fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// The 95 % percentile bootstrap interval of the difference of two means; seeds are resampled within each group.
pub(crate) fn interval_of_difference(ours: &[f64], theirs: &[f64]) -> (f64, f64) {
    let mut rng = Rng::new(0);
    let mut resampled = |numbers: &[f64]| {
        let sum: f64 = numbers.iter().map(|_| numbers[rng.below(numbers.len())]).sum();
        sum / numbers.len() as f64
    };
    let mut differences: Vec<f64> =
        (0..N_RESAMPLES).map(|_| resampled(ours) - resampled(theirs)).collect();
    differences.sort_by(f64::total_cmp);
    (differences[N_RESAMPLES / 40], differences[N_RESAMPLES - N_RESAMPLES / 40 - 1])
}
