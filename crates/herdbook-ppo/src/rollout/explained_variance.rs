//! How well the critic predicted the returns of a rollout.

/// Fraction of the returns' variance that the values explain: `1 − Var[returns − values] /
/// Var[returns]`, as `explained_variance` of stable-baselines3 (`common/utils.py`). 1 is a perfect
/// prediction, 0 one no better than a constant, below 0 a worse one. `None` if all returns are equal.
pub(crate) fn explained_variance(
    values: impl Iterator<Item = f32> + Clone,
    returns: &[f32],
) -> Option<f64> {
    let errors = values.zip(returns).map(|(value, target)| f64::from(*target) - f64::from(value));
    let returns_variance = variance(returns.iter().map(|x| f64::from(*x)));
    (returns_variance > 0.0).then(|| 1.0 - variance(errors) / returns_variance)
}

fn variance(numbers: impl Iterator<Item = f64> + Clone) -> f64 {
    let n = numbers.clone().count() as f64;
    let mean = numbers.clone().sum::<f64>() / n;
    numbers.map(|x| (x - mean).powi(2)).sum::<f64>() / n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explained_variance_is_one_for_perfect_values_and_absent_for_constant_returns() {
        let values = [1.0, 2.0, 4.0];
        assert_eq!(explained_variance(values.into_iter(), &values), Some(1.0));
        assert_eq!(explained_variance(values.into_iter(), &[7.0; 3]), None);
        assert_eq!(explained_variance([0.0; 3].into_iter(), &values), Some(0.0));
    }
}
