//! The categorical distribution given by a row of logits.

use pulp::Arch;

use crate::math::{elementwise, padded};

/// Replaces rows of `n` logits by log-probabilities, and writes the probabilities. Rows of both have
/// [`padded`]`(n)` floats; their padding is unspecified afterwards.
pub(crate) fn log_softmax(arch: Arch, n: usize, logits: &mut [f32], probabilities: &mut [f32]) {
    let width = padded(n);
    for row in logits.chunks_exact_mut(width) {
        let max = row[..n].iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for logit in row {
            *logit -= max;
        }
    }
    probabilities.copy_from_slice(logits);
    elementwise::exp(arch, probabilities);
    for (row, exps) in logits.chunks_exact_mut(width).zip(probabilities.chunks_exact_mut(width)) {
        let sum: f32 = exps[..n].iter().sum();
        let (scale, log_sum) = (1.0 / sum, libm::logf(sum));
        for (logit, p) in row.iter_mut().zip(exps) {
            *logit -= log_sum;
            *p *= scale;
        }
    }
}

/// Returns log-probabilities and probabilities of one row of logits, both without padding.
pub(crate) fn of_logits(arch: Arch, logits: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let (n, width) = (logits.len(), padded(logits.len()));
    let (mut log_probs, mut probabilities) = (logits.to_vec(), vec![0.0; width]);
    log_probs.resize(width, 0.0);
    log_softmax(arch, n, &mut log_probs, &mut probabilities);
    log_probs.truncate(n);
    probabilities.truncate(n);
    (log_probs, probabilities)
}

/// `-Σ p·ln p`, in nats.
pub(crate) fn entropy(log_probs: &[f32], probabilities: &[f32]) -> f32 {
    -log_probs.iter().zip(probabilities).map(|(log_p, p)| log_p * p).sum::<f32>()
}

/// Draws an index with the given probabilities by inverting their cumulative sum at `uniform`, a
/// random number from `[0, 1)`.
pub(crate) fn draw(probabilities: &[f32], uniform: f32) -> usize {
    let mut remainder = uniform;
    for (index, p) in probabilities.iter().enumerate() {
        remainder -= p;
        if remainder < 0.0 {
            return index;
        }
    }
    // Due to rounding, the probabilities may add up to slightly less than `uniform`.
    probabilities.len() - 1
}

/// The index of the largest number, or of the first one if several are equal.
pub(crate) fn argmax(numbers: &[f32]) -> usize {
    let mut best = 0;
    for (index, number) in numbers.iter().enumerate() {
        if *number > numbers[best] {
            best = index;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn distribution(logits: &[f32]) -> (Vec<f32>, Vec<f32>) {
        of_logits(Arch::new(), logits)
    }

    #[test]
    fn probabilities_are_those_of_the_definition() {
        let logits = [0.3_f32, -1.2, 2.5];
        let sum: f64 = logits.iter().map(|x| f64::from(*x).exp()).sum();
        let (log_probs, probabilities) = distribution(&logits);
        for i in 0..3 {
            let p = f64::from(logits[i]).exp() / sum;
            assert!((f64::from(probabilities[i]) - p).abs() < 1e-7);
            assert!((f64::from(log_probs[i]) - p.ln()).abs() < 1e-6);
        }
    }

    #[test]
    fn equal_logits_have_the_entropy_ln_n() {
        let (log_probs, probabilities) = distribution(&[4.0; 20]);
        assert!((entropy(&log_probs, &probabilities) - 20_f32.ln()).abs() < 1e-6);
    }

    #[test]
    fn huge_logits_do_not_overflow() {
        let (log_probs, probabilities) = distribution(&[1e30, -1e30, 1e30]);
        assert!((probabilities[0] - 0.5).abs() < 1e-6 && (probabilities[2] - 0.5).abs() < 1e-6);
        assert!(log_probs.iter().all(|x| x.is_finite()));
    }

    #[test]
    fn indices_are_drawn_with_their_probabilities() {
        let mut rng = Rng::new(1);
        let mut counts = [0_i32; 3];
        for _ in 0..100_000 {
            counts[draw(&[0.2, 0.0, 0.8], rng.uniform_f32())] += 1;
        }
        assert!((counts[0] - 20_000).abs() < 500 && counts[1] == 0, "{counts:?}");
    }

    #[test]
    fn argmax_is_the_first_of_equal_maxima() {
        assert_eq!(argmax(&[0.0, 3.0, 3.0]), 1);
        assert_eq!(argmax(&[f32::NEG_INFINITY, f32::NEG_INFINITY]), 0);
    }
}
