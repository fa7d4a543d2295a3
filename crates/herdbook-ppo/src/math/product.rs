//! The matrix product, in tiles that stay in vector registers.
//!
//! The matrices of a small network fit into the L1 and L2 caches, so they are neither packed nor
//! blocked for cache. This is faster than the crate `gemm`, which packs (22 instead of 26 µs for the
//! products of one default minibatch), and needs no unsafe code: see `docs/decisions/0001`.
//!
//! Every element is summed over the depth in the same order, whatever its tile. The result of a row
//! is therefore the same, bit for bit, alone or in a batch.

use pulp::{Arch, Simd, WithSimd};

/// `out = left · right + bias`, where `left` is `rows × depth` and `right` is `depth × width`.
/// The rows of `right` and `out` are `width` floats, a multiple of [`crate::math::LINE`].
pub(crate) struct Product<'a> {
    pub(crate) left: View<'a>,
    pub(crate) right: &'a [f32],
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) out: &'a mut [f32],
    pub(crate) rows: usize,
    pub(crate) depth: usize,
    pub(crate) width: usize,
}

/// The left matrix, which is read element by element.
#[derive(Clone, Copy)]
pub(crate) enum View<'a> {
    /// A matrix, and the distance between its rows in floats.
    Rows(&'a [f32], usize),
    /// The transpose of a matrix, and the distance between the rows of that matrix in floats.
    Columns(&'a [f32], usize),
    /// A matrix of ones. The product then sums the columns of the right matrix.
    Ones,
}

impl Product<'_> {
    pub(crate) fn compute(self, arch: Arch) {
        debug_assert!(self.width.is_multiple_of(crate::math::LINE));
        arch.dispatch(self);
    }
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (right, _) = S::as_simd_f32s(self.right);
        let (out, _) = S::as_mut_simd_f32s(self.out);
        let bias = self.bias.map(|bias| S::as_simd_f32s(bias).0);
        let width = self.width / S::F32_LANES;
        let (rows, depth) = (self.rows, self.depth);
        let mut grid = Grid { simd, left: self.left, right, bias, out, rows, depth, width };
        let mut column = 0;
        // With AVX-512, 16 accumulators fill half of the registers and hide the latency of an addition.
        while S::F32_LANES != 8 && column + 4 <= width {
            grid.columns::<4, 4>(column);
            column += 4;
        }
        while column + 2 <= width {
            grid.columns::<4, 2>(column);
            column += 2;
        }
        if column < width {
            grid.columns::<8, 1>(column);
        }
    }
}

/// The operands as vectors; `width` is a number of vectors.
struct Grid<'a, S: Simd> {
    simd: S,
    left: View<'a>,
    right: &'a [S::f32s],
    bias: Option<&'a [S::f32s]>,
    out: &'a mut [S::f32s],
    rows: usize,
    depth: usize,
    width: usize,
}

impl<S: Simd> Grid<'_, S> {
    /// Computes all rows of `C` columns of vectors, `R` rows at a time.
    #[inline(always)]
    fn columns<const R: usize, const C: usize>(&mut self, column: usize) {
        let mut row = 0;
        while row + R <= self.rows {
            self.tile::<R, C>(row, column);
            row += R;
        }
        if row + 4 <= self.rows {
            self.tile::<4, C>(row, column);
            row += 4;
        }
        match self.rows - row {
            3 => self.tile::<3, C>(row, column),
            2 => self.tile::<2, C>(row, column),
            1 => self.tile::<1, C>(row, column),
            _ => {}
        }
    }

    #[inline(always)]
    fn tile<const R: usize, const C: usize>(&mut self, row: usize, column: usize) {
        let sums = match self.left {
            View::Rows(floats, stride) => {
                let rows: [&[f32]; R] =
                    std::array::from_fn(|r| &floats[(row + r) * stride..][..self.depth]);
                self.sums::<R, C>(column, |k| std::array::from_fn(|r| rows[r][k]))
            }
            View::Columns(floats, stride) => self.sums::<R, C>(column, |k| {
                let column = &floats[k * stride + row..][..R];
                std::array::from_fn(|r| column[r])
            }),
            View::Ones => self.sums::<R, C>(column, |_| [1.0; R]),
        };
        for (r, sums) in sums.iter().enumerate() {
            let start = (row + r) * self.width + column;
            self.out[start..start + C].copy_from_slice(sums);
        }
    }

    /// Sums over the depth: `left(k)`, an element of each of `R` rows, times row `k` of the right
    /// matrix.
    #[inline(always)]
    fn sums<const R: usize, const C: usize>(
        &self,
        column: usize,
        left: impl Fn(usize) -> [f32; R],
    ) -> [[S::f32s; C]; R] {
        let simd = self.simd;
        let mut sums = [self.initial::<C>(column); R];
        for k in 0..self.depth {
            let right = &self.right[k * self.width + column..][..C];
            for (sums, left) in sums.iter_mut().zip(left(k)) {
                let left = simd.splat_f32s(left);
                for (sum, &right) in sums.iter_mut().zip(right) {
                    *sum = simd.mul_add_e_f32s(left, right, *sum);
                }
            }
        }
        sums
    }

    #[inline(always)]
    fn initial<const C: usize>(&self, column: usize) -> [S::f32s; C] {
        let zero = self.simd.splat_f32s(0.0);
        self.bias.map_or([zero; C], |bias| std::array::from_fn(|c| bias[column + c]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::instruction_sets;
    use crate::rng::Rng;

    fn random(rng: &mut Rng, len: usize) -> Vec<f32> {
        (0..len).map(|_| rng.uniform_f32() - 0.5).collect()
    }

    /// The definition of the product, in doubles.
    fn naive(
        left: impl Fn(usize, usize) -> f32,
        p: (usize, usize, usize),
        right: &[f32],
        bias: &[f32],
    ) -> Vec<f64> {
        let (rows, depth, width) = p;
        let element = |r: usize, c: usize| {
            let terms = (0..depth).map(|k| f64::from(left(r, k)) * f64::from(right[k * width + c]));
            f64::from(bias[c]) + terms.sum::<f64>()
        };
        (0..rows * width).map(|i| element(i / width, i % width)).collect()
    }

    fn assert_close(got: &[f32], want: &[f64]) {
        for (got, want) in got.iter().zip(want) {
            assert!((f64::from(*got) - want).abs() < 1e-5, "{got} instead of {want}");
        }
    }

    #[test]
    fn every_shape_equals_the_definition() {
        instruction_sets().into_iter().for_each(check_shapes);
    }

    fn check_shapes(arch: Arch) {
        let mut rng = Rng::new(1);
        for rows in [1, 2, 3, 4, 5, 7, 8, 15, 64] {
            for (depth, width) in [(0, 16), (1, 16), (35, 32), (35, 64), (3, 112), (64, 48)] {
                let (left, right) =
                    (random(&mut rng, rows * depth), random(&mut rng, depth * width));
                let (bias, mut out) = (random(&mut rng, width), vec![9.0; rows * width]);
                let shape = (rows, depth, width);

                let (view, some_bias) = (View::Rows(&left, depth), Some(&bias[..]));
                Product {
                    left: view,
                    right: &right,
                    bias: some_bias,
                    out: &mut out,
                    rows,
                    depth,
                    width,
                }
                .compute(arch);
                assert_close(&out, &naive(|r, k| left[r * depth + k], shape, &right, &bias));

                let view = View::Columns(&left, rows);
                Product {
                    left: view,
                    right: &right,
                    bias: None,
                    out: &mut out,
                    rows,
                    depth,
                    width,
                }
                .compute(arch);
                assert_close(
                    &out,
                    &naive(|r, k| left[k * rows + r], shape, &right, &vec![0.0; width]),
                );
            }
        }
    }

    #[test]
    fn row_has_the_same_bits_alone_and_in_a_batch() {
        let mut rng = Rng::new(2);
        let (rows, depth, width) = (7, 35, 80);
        let (left, right) = (random(&mut rng, rows * depth), random(&mut rng, depth * width));
        let (mut all, mut alone) = (vec![0.0; rows * width], vec![0.0; width]);
        let view = View::Rows(&left, depth);
        Product { left: view, right: &right, bias: None, out: &mut all, rows, depth, width }
            .compute(Arch::new());
        for row in 0..rows {
            let view = View::Rows(&left[row * depth..], depth);
            Product {
                left: view,
                right: &right,
                bias: None,
                out: &mut alone,
                rows: 1,
                depth,
                width,
            }
            .compute(Arch::new());
            assert_eq!(alone, all[row * width..(row + 1) * width]);
        }
    }
}
