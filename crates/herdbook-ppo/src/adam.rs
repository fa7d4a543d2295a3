//! The optimizer: Adam (arXiv:1412.6980) with the arithmetic of `torch.optim.Adam`, and gradient
//! clipping.

#![expect(
    clippy::inline_always,
    reason = "only what is inlined into the dispatched function may use its vector instructions"
)]

use pulp::{Arch, Simd, WithSimd};

use crate::math::buffer::Buffer;
use crate::network::actor_critic::ActorCritic;
use crate::network::mlp::Networks;

/// The state and the hyperparameters of the optimizer.
///
/// The moments can be read with [`Model::exp_avg`](crate::Model::exp_avg) and
/// [`Model::exp_avg_sq`](crate::Model::exp_avg_sq).
#[derive(Debug, Clone, PartialEq)]
pub struct Adam {
    pub(crate) step: u64,
    pub(crate) moments: ActorCritic<Moments>,
    pub(crate) constants: AdamConstants,
}

/// The hyperparameters that stay the same for the whole training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct AdamConstants {
    pub(crate) betas: (f64, f64),
    pub(crate) eps: f64,
}

/// Running means of one network's gradient and squared gradient, in the layout of its weights.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Moments {
    pub(crate) exp_avg: Buffer,
    pub(crate) exp_avg_sq: Buffer,
}

/// The precomputed constants of one step, bias correction included.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdamStep {
    one_minus_beta1: f32,
    beta2: f32,
    one_minus_beta2: f32,
    step_size: f32,
    root_correction2: f32,
    eps: f32,
}

impl Adam {
    pub(crate) fn new(networks: &Networks) -> Self {
        let moments = networks.as_ref().map(|mlp| Moments::zeroed(mlp.len));
        Self { step: 0, moments, constants: AdamConstants::default() }
    }

    /// Number of steps so far, one per minibatch.
    pub fn step_count(&self) -> u64 {
        self.step
    }
}

impl Default for AdamConstants {
    /// The defaults of torch, except for `eps`: 1e-5 as in stable-baselines3 (`ActorCriticPolicy`).
    fn default() -> Self {
        Self { betas: (0.9, 0.999), eps: 1e-5 }
    }
}

impl AdamConstants {
    /// The constants of step number `step`, counted from 1.
    pub(crate) fn step(&self, step: u64, learning_rate: f64) -> AdamStep {
        let ((beta1, beta2), step) = (self.betas, step as f64);
        let (correction1, correction2) =
            (1.0 - libm::pow(beta1, step), 1.0 - libm::pow(beta2, step));
        AdamStep {
            one_minus_beta1: (1.0 - beta1) as f32,
            beta2: beta2 as f32,
            one_minus_beta2: (1.0 - beta2) as f32,
            step_size: (learning_rate / correction1) as f32,
            root_correction2: (1.0 / correction2.sqrt()) as f32,
            eps: self.eps as f32,
        }
    }
}

impl Moments {
    pub(crate) fn zeroed(len: usize) -> Self {
        Self { exp_avg: Buffer::zeroed(len), exp_avg_sq: Buffer::zeroed(len) }
    }

    /// Does one step with `scale` times the gradient: updates the moments and the weights.
    pub(crate) fn update(
        &mut self,
        arch: Arch,
        weights: &mut [f32],
        gradient: &[f32],
        scale: f32,
        step: AdamStep,
    ) {
        let Self { exp_avg, exp_avg_sq } = self;
        arch.dispatch(Update { weights, gradient, scale, exp_avg, exp_avg_sq, step });
    }
}

/// The squared L2 norm of a gradient.
pub(crate) fn square_sum(arch: Arch, gradient: &[f32]) -> f32 {
    arch.dispatch(SquareSum { values: gradient })
}

/// The factor that limits a gradient of squared norm `square_sum` to the norm `max_norm`, as
/// `torch.nn.utils.clip_grad_norm_`.
pub(crate) fn clip_scale(square_sum: f64, max_norm: f64) -> f32 {
    let scale = max_norm / (square_sum.sqrt() + 1e-6);
    // For a NaN norm this gives 1, and the weights become NaN, which storing the model reports.
    if scale < 1.0 { scale as f32 } else { 1.0 }
}

struct Update<'a> {
    weights: &'a mut [f32],
    gradient: &'a [f32],
    scale: f32,
    exp_avg: &'a mut [f32],
    exp_avg_sq: &'a mut [f32],
    step: AdamStep,
}

impl WithSimd for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let splat = |x| simd.splat_f32s(x);
        let constants = self.step;
        let (weights, gradient) =
            (S::as_mut_simd_f32s(self.weights).0, S::as_simd_f32s(self.gradient).0);
        let exp_avg = S::as_mut_simd_f32s(self.exp_avg).0;
        let exp_avg_sq = S::as_mut_simd_f32s(self.exp_avg_sq).0;
        let vectors = weights.iter_mut().zip(gradient).zip(exp_avg.iter_mut().zip(exp_avg_sq));
        for ((weight, &gradient), (m, v)) in vectors {
            let gradient = simd.mul_f32s(gradient, splat(self.scale));
            *m = simd.mul_add_e_f32s(
                splat(constants.one_minus_beta1),
                simd.sub_f32s(gradient, *m),
                *m,
            );
            let square = simd.mul_f32s(gradient, gradient);
            let decayed = simd.mul_f32s(*v, splat(constants.beta2));
            *v = simd.mul_add_e_f32s(square, splat(constants.one_minus_beta2), decayed);
            let root = simd.mul_f32s(simd.sqrt_f32s(*v), splat(constants.root_correction2));
            let step = simd.div_f32s(*m, simd.add_f32s(root, splat(constants.eps)));
            *weight = simd.mul_add_e_f32s(splat(-constants.step_size), step, *weight);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::LINE;

    fn buffer(first: &[f32]) -> Buffer {
        let mut buffer = Buffer::zeroed(LINE);
        buffer[..first.len()].copy_from_slice(first);
        buffer
    }

    fn after_steps(gradients: &[f32], weights: &mut [f32], learning_rate: f64) -> Moments {
        let (adam, mut moments) = (AdamConstants::default(), Moments::zeroed(LINE));
        for (step, gradient) in (1..).zip(gradients) {
            let constants = adam.step(step, learning_rate);
            moments.update(Arch::new(), weights, &buffer(&[*gradient]), 1.0, constants);
        }
        moments
    }

    #[test]
    fn first_step_moves_each_weight_by_about_the_learning_rate() {
        // m = 0.1·g and v = 0.001·g², so after correction the step is lr·g / (|g| + eps).
        for (gradient, want) in
            [(0.5, 1.0 - 0.01 * 0.5 / 0.500_01), (-2.0, 1.0 + 0.01 * 2.0 / 2.000_01)]
        {
            let mut weights = buffer(&[1.0]);
            after_steps(&[gradient], &mut weights, 0.01);
            assert!((weights[0] - want).abs() < 1e-7);
        }
    }

    #[test]
    fn second_step_follows_the_published_recursion() {
        let mut weights = buffer(&[1.0]);
        let moments = after_steps(&[0.5, -0.25], &mut weights, 0.01);
        // By hand: m = 0.9·0.05 − 0.1·0.25 = 0.02, v = 0.999·0.00025 + 0.001·0.0625 = 0.00031225.
        assert!((moments.exp_avg[0] - 0.02).abs() < 1e-8);
        assert!((moments.exp_avg_sq[0] - 0.000_312_25).abs() < 1e-9);
        let (m, v) = (0.02 / (1.0 - 0.81), 0.000_312_25_f64 / (1.0 - 0.998_001));
        let want = 1.0 - 0.01 * 0.5 / 0.500_01 - 0.01 * m / (v.sqrt() + 1e-5);
        assert!((f64::from(weights[0]) - want).abs() < 1e-7);
    }

    #[test]
    fn zero_gradient_leaves_padding_zero() {
        let mut weights = buffer(&[]);
        after_steps(&[0.0], &mut weights, 0.01);
        assert_eq!(weights, buffer(&[]));
    }

    #[test]
    fn long_gradient_is_clipped_and_a_short_one_is_not() {
        let scale =
            |gradient: &[f32]| clip_scale(square_sum(Arch::new(), &buffer(gradient)).into(), 0.5);
        assert!((scale(&[3.0, 4.0]) - 0.1).abs() < 1e-6);
        assert_eq!(scale(&[0.03, 0.04]).to_bits(), 1.0_f32.to_bits());
    }
}
