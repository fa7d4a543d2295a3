//! Elementwise functions. The length of all slices is a multiple of [`LINE`](crate::math::LINE).

use pulp::{Arch, Simd, WithSimd};

/// Applies the hyperbolic tangent. The approximation is exactly odd, and 0 at 0.
pub(crate) fn tanh(arch: Arch, values: &mut [f32]) {
    arch.dispatch(Map { values, function: Tanh });
}

/// Applies `exp`. Arguments are clamped to `[-87, 88]`.
pub(crate) fn exp(arch: Arch, values: &mut [f32]) {
    arch.dispatch(Map { values, function: Exp });
}

/// Applies `max(x, 0)`.
pub(crate) fn relu(arch: Arch, values: &mut [f32]) {
    arch.dispatch(Map { values, function: Relu });
}

/// Backpropagates through `tanh`: replaces its outputs by the gradient with respect to its inputs,
/// given the gradient with respect to its outputs.
pub(crate) fn tanh_gradient(arch: Arch, outputs: &mut [f32], gradient: &[f32]) {
    arch.dispatch(Zip { values: outputs, others: gradient, function: TanhGradient });
}

/// Backpropagates through `relu`, as [`tanh_gradient`] through `tanh`.
pub(crate) fn relu_gradient(arch: Arch, outputs: &mut [f32], gradient: &[f32]) {
    arch.dispatch(Zip { values: outputs, others: gradient, function: ReluGradient });
}

/// Adds `others` to `values`.
pub(crate) fn add(arch: Arch, values: &mut [f32], others: &[f32]) {
    arch.dispatch(Zip { values, others, function: Add });
}

trait Function: Copy {
    fn apply<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s;
}

struct Map<'a, F> {
    values: &'a mut [f32],
    function: F,
}

impl<F: Function> WithSimd for Map<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (vectors, rest) = S::as_mut_simd_f32s(self.values);
        debug_assert!(rest.is_empty());
        for x in vectors {
            *x = self.function.apply(simd, *x);
        }
    }
}

trait Function2: Copy {
    fn apply<S: Simd>(self, simd: S, x: S::f32s, y: S::f32s) -> S::f32s;
}

struct Zip<'a, F> {
    values: &'a mut [f32],
    others: &'a [f32],
    function: F,
}

impl<F: Function2> WithSimd for Zip<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (values, rest) = S::as_mut_simd_f32s(self.values);
        let (others, _) = S::as_simd_f32s(self.others);
        debug_assert!(rest.is_empty() && values.len() == others.len());
        for (x, y) in values.iter_mut().zip(others) {
            *x = self.function.apply(simd, *x, *y);
        }
    }
}

#[derive(Clone, Copy)]
struct Tanh;

impl Function for Tanh {
    /// The rational minimax approximation of Eigen's `generic_fast_tanh_float`: an odd polynomial
    /// divided by an even one, and constant beyond `±LIMIT`. The error is at most 6 units in the last
    /// place.
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        const LIMIT: f32 = 7.905_311;
        const ODD: [f32; 6] = [
            2.000_188e-13,
            -8.604_672e-11,
            5.122_297_3e-8,
            1.485_722_35e-5,
            6.372_619_5e-4,
            4.893_524_6e-3,
        ];
        const EVEN: [f32; 3] = [1.185_347_1e-4, 2.268_434_7e-3, 4.893_525e-3];
        let x = simd.max_f32s(simd.min_f32s(x, simd.splat_f32s(LIMIT)), simd.splat_f32s(-LIMIT));
        let square = simd.mul_f32s(x, x);
        let odd = horner(simd, square, -2.760_768_4e-16, &ODD);
        let even = horner(simd, square, 1.198_258_4e-6, &EVEN);
        simd.div_f32s(simd.mul_f32s(x, odd), even)
    }
}

#[derive(Clone, Copy)]
struct Exp;

impl Function for Exp {
    /// `2^n · exp(r)` with `r = x - n·ln 2`, by the polynomial of Cephes' `expf`. The error is at most
    /// 1 unit in the last place.
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        // Adding 1.5·2^23 rounds to an integer and leaves it in the low bits.
        const ROUND: f32 = 12_582_912.0;
        const LN2_HIGH: f32 = 0.693_359_4;
        const LN2_LOW: f32 = -2.121_944_4e-4;
        const TERMS: [f32; 5] = [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_66, 0.5];
        let x = simd.max_f32s(simd.min_f32s(x, simd.splat_f32s(88.0)), simd.splat_f32s(-87.0));
        let rounded = simd.mul_add_e_f32s(
            x,
            simd.splat_f32s(std::f32::consts::LOG2_E),
            simd.splat_f32s(ROUND),
        );
        let n = simd.sub_f32s(rounded, simd.splat_f32s(ROUND));
        let r = simd.mul_add_e_f32s(n, simd.splat_f32s(-LN2_HIGH), x);
        let r = simd.mul_add_e_f32s(n, simd.splat_f32s(-LN2_LOW), r);
        let tail = horner(simd, r, 1.987_569_1e-4, &TERMS);
        let y = simd.mul_add_e_f32s(simd.mul_f32s(r, r), tail, r);
        let y = simd.add_f32s(y, simd.splat_f32s(1.0));
        let exponent =
            simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(rounded), simd.splat_u32s(23));
        simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(y), exponent))
    }
}

#[derive(Clone, Copy)]
struct Relu;

impl Function for Relu {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        simd.max_f32s(x, simd.splat_f32s(0.0))
    }
}

#[derive(Clone, Copy)]
struct TanhGradient;

impl Function2 for TanhGradient {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, output: S::f32s, gradient: S::f32s) -> S::f32s {
        let slope = simd.sub_f32s(simd.splat_f32s(1.0), simd.mul_f32s(output, output));
        simd.mul_f32s(gradient, slope)
    }
}

#[derive(Clone, Copy)]
struct ReluGradient;

impl Function2 for ReluGradient {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, output: S::f32s, gradient: S::f32s) -> S::f32s {
        let zero = simd.splat_f32s(0.0);
        simd.select_f32s(simd.greater_than_f32s(output, zero), gradient, zero)
    }
}

#[derive(Clone, Copy)]
struct Add;

impl Function2 for Add {
    #[inline(always)]
    fn apply<S: Simd>(self, simd: S, x: S::f32s, y: S::f32s) -> S::f32s {
        simd.add_f32s(x, y)
    }
}

/// Evaluates a polynomial. The coefficients start with that of the highest power.
#[inline(always)]
fn horner<S: Simd>(simd: S, x: S::f32s, first: f32, others: &[f32]) -> S::f32s {
    others.iter().fold(simd.splat_f32s(first), |sum, &term| {
        simd.mul_add_e_f32s(sum, x, simd.splat_f32s(term))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::instruction_sets;

    /// The largest difference from the double-precision function, in units in the last place.
    fn worst_ulp(values: &[f32], apply: fn(Arch, &mut [f32]), exact: fn(f64) -> f64) -> f64 {
        let mut worst = 0.0_f64;
        for arch in instruction_sets() {
            let mut got = values.to_vec();
            apply(arch, &mut got);
            for (x, got) in values.iter().zip(got) {
                let want = exact(f64::from(*x));
                let ulp = f64::from((want as f32).abs().next_up()) - f64::from((want as f32).abs());
                worst = worst
                    .max((f64::from(got) - want).abs() / ulp.max(f64::from(f32::MIN_POSITIVE)));
            }
        }
        worst
    }

    fn grid(from: f32, to: f32) -> Vec<f32> {
        (0..1 << 20).map(|i| from + (to - from) * (i as f32 / (1 << 20) as f32)).collect()
    }

    #[test]
    fn tanh_is_within_a_few_units_in_the_last_place() {
        let small: Vec<f32> = (0..1 << 16)
            .map(|i| 2.0_f32.powf(-f32::from((i % 120) as u16)) * (1.0 + i as f32 / 65_536.0) / 2.0)
            .collect();
        for values in [grid(-1.0, 1.0), grid(-10.0, 10.0), small] {
            let worst = worst_ulp(&values, tanh, f64::tanh);
            assert!(worst <= 6.0, "{worst} units");
        }
    }

    #[test]
    fn tanh_is_odd_bounded_and_saturates() {
        let mut values: Vec<f32> = [0.0, -0.0, 1e-30, 0.3, 5.0, 9.0, 1e30, f32::INFINITY].repeat(2);
        values[8..].iter_mut().for_each(|x| *x = -*x);
        tanh(Arch::new(), &mut values);
        let (positive, negative) = values.split_at(8);
        for (p, n) in positive.iter().zip(negative) {
            assert_eq!(p.to_bits(), (-n).to_bits());
            assert!(p.abs() <= 1.0);
        }
        assert!(positive[5] > 0.999_999);
    }

    #[test]
    fn exp_is_within_a_unit_in_the_last_place() {
        for values in [grid(-1.0, 1.0), grid(-86.9, 87.9)] {
            let worst = worst_ulp(&values, exp, f64::exp);
            assert!(worst <= 1.5, "{worst} units");
        }
    }

    #[test]
    fn exp_of_zero_is_one_and_far_arguments_stay_finite() {
        let mut values = [0.0, -0.0, 1e30, -1e30, f32::NEG_INFINITY].repeat(4);
        values.resize(32, 0.0);
        exp(Arch::new(), &mut values);
        assert_eq!(values[..2], [1.0, 1.0]);
        assert!(values[2].is_finite() && values[3] > 0.0 && values[4] < 1e-37);
    }
}
