//! The peak rate of one core: multiply-adds on registers, in the widest vectors it has.

#![expect(
    clippy::inline_always,
    reason = "only what is inlined into the dispatched function may use its vector instructions"
)]

use std::time::Instant;

use pulp::{Arch, Simd, WithSimd};

/// Independent sums: more than a core can have multiply-adds in flight.
const N_SUMS: usize = 16;
const ROUNDS: u32 = 2_000_000;

/// Floating-point operations per second of one core; a multiply-add counts as two.
pub(crate) fn flops_per_second() -> f64 {
    let arch = Arch::new();
    let begun = Instant::now();
    let lanes = arch.dispatch(MultiplyAdds);
    let operations = 2.0 * (N_SUMS * lanes) as f64 * f64::from(ROUNDS);
    operations / begun.elapsed().as_secs_f64()
}

struct MultiplyAdds;

impl WithSimd for MultiplyAdds {
    /// Floats in a vector.
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let mut sums = [simd.splat_f32s(0.5); N_SUMS];
        let factor = simd.splat_f32s(std::hint::black_box(0.999));
        let term = simd.splat_f32s(std::hint::black_box(0.001));
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(*sum, factor, term);
            }
        }
        let total = sums.into_iter().fold(term, |total, sum| simd.add_f32s(total, sum));
        std::hint::black_box(simd.reduce_sum_f32s(total));
        S::F32_LANES
    }
}
