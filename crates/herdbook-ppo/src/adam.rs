//! Adam (arXiv:1412.6980) with the arithmetic of `torch.optim.Adam`, and the cut of the gradient's
//! length before it.

#![expect(
    clippy::inline_always,
    reason = "only what is inlined into the dispatched function may use its vector instructions"
)]

use pulp::{Arch, Simd, WithSimd};

use crate::math::buffer::Buffer;

/// The optimizer's state and constants. Its moments lie as the weights do.
#[derive(Debug, Clone, PartialEq)]
pub struct Adam {
    /// Minibatch updates so far.
    pub(crate) step: u64,
    pub(crate) exp_avg: Buffer,
    pub(crate) exp_avg_sq: Buffer,
    pub(crate) betas: (f64, f64),
    pub(crate) eps: f64,
}

impl Adam {
    pub(crate) const BETAS: (f64, f64) = (0.9, 0.999);
    /// stable-baselines3's, not torch's 1e-8.
    pub(crate) const EPS: f64 = 1e-5;

    pub(crate) fn new(len: usize) -> Self {
        let (exp_avg, exp_avg_sq) = (Buffer::zeroed(len), Buffer::zeroed(len));
        Self { step: 0, exp_avg, exp_avg_sq, betas: Self::BETAS, eps: Self::EPS }
    }

    /// Minibatch updates so far.
    pub fn step_count(&self) -> u64 {
        self.step
    }

    /// Moves the weights against the gradient.
    pub(crate) fn update(
        &mut self,
        arch: Arch,
        weights: &mut [f32],
        gradient: &[f32],
        learning_rate: f64,
    ) {
        self.step += 1;
        let (beta1, beta2) = self.betas;
        let step = self.step as f64;
        let (correction1, correction2) =
            (1.0 - libm::pow(beta1, step), 1.0 - libm::pow(beta2, step));
        arch.dispatch(Update {
            weights,
            gradient,
            exp_avg: &mut self.exp_avg,
            exp_avg_sq: &mut self.exp_avg_sq,
            one_minus_beta1: (1.0 - beta1) as f32,
            beta2: beta2 as f32,
            one_minus_beta2: (1.0 - beta2) as f32,
            step_size: (learning_rate / correction1) as f32,
            root_correction2: (1.0 / correction2.sqrt()) as f32,
            eps: self.eps as f32,
        });
    }
}

/// Scales the gradient down to length `max_norm` if it is longer, as `clip_grad_norm_` does.
pub(crate) fn clip_norm(arch: Arch, gradient: &mut [f32], max_norm: f64) {
    let norm = f64::from(arch.dispatch(SquareSum { values: gradient })).sqrt();
    let scale = max_norm / (norm + 1e-6);
    if scale < 1.0 {
        arch.dispatch(Scale { values: gradient, factor: scale as f32 });
    }
}

struct Update<'a> {
    weights: &'a mut [f32],
    gradient: &'a [f32],
    exp_avg: &'a mut [f32],
    exp_avg_sq: &'a mut [f32],
    one_minus_beta1: f32,
    beta2: f32,
    one_minus_beta2: f32,
    step_size: f32,
    root_correction2: f32,
    eps: f32,
}

impl WithSimd for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let splat = |x| simd.splat_f32s(x);
        let (weights, gradient) =
            (S::as_mut_simd_f32s(self.weights).0, S::as_simd_f32s(self.gradient).0);
        let exp_avg = S::as_mut_simd_f32s(self.exp_avg).0;
        let exp_avg_sq = S::as_mut_simd_f32s(self.exp_avg_sq).0;
        let vectors = weights.iter_mut().zip(gradient).zip(exp_avg.iter_mut().zip(exp_avg_sq));
        for ((weight, &gradient), (m, v)) in vectors {
            *m = simd.mul_add_e_f32s(splat(self.one_minus_beta1), simd.sub_f32s(gradient, *m), *m);
            let square = simd.mul_f32s(gradient, gradient);
            let decayed = simd.mul_f32s(*v, splat(self.beta2));
            *v = simd.mul_add_e_f32s(square, splat(self.one_minus_beta2), decayed);
            let root = simd.mul_f32s(simd.sqrt_f32s(*v), splat(self.root_correction2));
            let step = simd.div_f32s(*m, simd.add_f32s(root, splat(self.eps)));
            *weight = simd.mul_add_e_f32s(splat(-self.step_size), step, *weight);
        }
    }
}

struct SquareSum<'a> {
    values: &'a [f32],
}

impl WithSimd for SquareSum<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let mut sums = [simd.splat_f32s(0.0); 4];
        let (vectors, _) = S::as_simd_f32s(self.values);
        let (fours, rest) = vectors.as_chunks::<4>();
        for four in fours {
            for (sum, &x) in sums.iter_mut().zip(four) {
                *sum = simd.mul_add_e_f32s(x, x, *sum);
            }
        }
        for &x in rest {
            sums[0] = simd.mul_add_e_f32s(x, x, sums[0]);
        }
        let [a, b, c, d] = sums;
        simd.reduce_sum_f32s(simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d)))
    }
}

struct Scale<'a> {
    values: &'a mut [f32],
    factor: f32,
}

impl WithSimd for Scale<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for x in S::as_mut_simd_f32s(self.values).0 {
            *x = simd.mul_f32s(*x, simd.splat_f32s(self.factor));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::LINE;

    fn buffer(first: &[f32]) -> Buffer {
        let mut buffer = Buffer::zeroed(LINE);
        buffer[..first.len()].copy_from_slice(first);
        buffer
    }

    #[test]
    fn first_step_moves_each_weight_by_about_the_learning_rate() {
        // m = 0.1·g and v = 0.001·g², so after correction the step is lr·g / (|g| + eps).
        let (mut adam, mut weights) = (Adam::new(LINE), buffer(&[1.0, 1.0]));
        adam.update(Arch::new(), &mut weights, &buffer(&[0.5, -2.0]), 0.01);
        assert!((weights[0] - (1.0 - 0.01 * 0.5 / 0.500_01)).abs() < 1e-7);
        assert!((weights[1] - (1.0 + 0.01 * 2.0 / 2.000_01)).abs() < 1e-7);
        assert_eq!(adam.step_count(), 1);
    }

    #[test]
    fn second_step_follows_the_published_recursion() {
        let (mut adam, mut weights) = (Adam::new(LINE), buffer(&[1.0]));
        adam.update(Arch::new(), &mut weights, &buffer(&[0.5]), 0.01);
        adam.update(Arch::new(), &mut weights, &buffer(&[-0.25]), 0.01);
        // By hand: m = 0.9·0.05 − 0.1·0.25 = 0.02, v = 0.999·0.00025 + 0.001·0.0625 = 0.00031225.
        assert!((adam.exp_avg[0] - 0.02).abs() < 1e-8);
        assert!((adam.exp_avg_sq[0] - 0.000_312_25).abs() < 1e-9);
        let (m, v) = (0.02 / (1.0 - 0.81), 0.000_312_25_f64 / (1.0 - 0.998_001));
        let want = 1.0 - 0.01 * 0.5 / 0.500_01 - 0.01 * m / (v.sqrt() + 1e-5);
        assert!((f64::from(weights[0]) - want).abs() < 1e-7);
    }

    #[test]
    fn zero_gradient_leaves_padding_zero() {
        let (mut adam, mut weights) = (Adam::new(LINE), buffer(&[]));
        adam.update(Arch::new(), &mut weights, &buffer(&[]), 0.01);
        assert_eq!(weights, buffer(&[]));
    }

    #[test]
    fn long_gradient_is_cut_to_the_limit_and_a_short_one_left_alone() {
        let mut long = buffer(&[3.0, 4.0]);
        clip_norm(Arch::new(), &mut long, 0.5);
        assert!((long[0] - 0.3).abs() < 1e-6 && (long[1] - 0.4).abs() < 1e-6);
        let mut short = buffer(&[0.03, 0.04]);
        clip_norm(Arch::new(), &mut short, 0.5);
        assert_eq!(short, buffer(&[0.03, 0.04]));
    }
}
