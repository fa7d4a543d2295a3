//! A quick comparison of a block of returns with many places of a reference, in small integers and vector instructions.
//!
//! It only leaves out places at which the exact correlation cannot reach its limit, so that it never changes a result.

#![expect(
    clippy::inline_always,
    reason = "only what is inlined into the dispatched function may use its vector instructions"
)]

use pulp::{Arch, Simd, WithSimd};

/// Returns of a block.
pub(super) const BLOCK: usize = 64;
/// Room for the returns around an anchor.
const AROUND: usize = 32;
/// Zeros before the first and after the last return of a reference, so that a block at any place can be read.
const PAD: usize = BLOCK + AROUND;
/// Clipped returns are at most this large after scaling, so that sums of 64 products fit into 32 bits.
const MAX_SCALED: i64 = 1 << 12;
/// A scaled return is rounded. If both sums of squares are at least this large, rounding changes a correlation by less than
/// [`MARGIN`]. Else the place is kept.
const MIN_SQUARES: i32 = 800 * 800;
/// See [`MIN_SQUARES`].
const MARGIN: f32 = 0.05;
/// Relative error of sums in floats.
const ROUNDING: f32 = 1e-4;

/// Returns of the query, clipped and scaled; zeros where there is none.
#[derive(Debug)]
struct Pattern<const N: usize> {
    values: [i16; N],
    /// All bits where there is a return.
    mask: [i16; N],
    /// A place is left out if its squared product is below this, times its sum of squares.
    least: f32,
}

impl<const N: usize> Pattern<N> {
    fn new(returns: &[i64], scale: Scale, least_correlation: f32) -> Self {
        let (mut values, mut mask) = ([0; N], [0; N]);
        for (idx, size) in returns.iter().enumerate() {
            (values[idx], mask[idx]) = (scale.clipped(*size), -1);
        }
        let squares: f32 = values.iter().map(|it| f32::from(*it) * f32::from(*it)).sum();
        let margin = if scale.shift == 0 { 0.0 } else { MARGIN };
        let least = (least_correlation - margin).powi(2) * (1.0 - ROUNDING) * squares;
        let is_exact = scale.shift == 0 || squares >= MIN_SQUARES as f32;
        let least = if is_exact { least } else { 0.0 };
        Self { values, mask, least }
    }

    #[inline(always)]
    fn may_correlate(&self, returns: &[i16], limit: i16, min_squares: i32) -> bool {
        let Some(returns) = returns.first_chunk::<N>() else { return true };
        let (mut product, mut squares) = (0_i32, 0_i32);
        for ((found, value), mask) in returns.iter().zip(&self.values).zip(&self.mask) {
            let other = (*found).min(limit).max(-limit);
            product += i32::from(*value) * i32::from(other);
            let counted = other & mask;
            squares += i32::from(counted) * i32::from(counted);
        }
        let (product, sum) = (product as f32, squares as f32);
        product * product >= self.least * sum || squares < min_squares
    }
}

/// Divides returns by a power of two.
#[derive(Debug, Clone, Copy)]
struct Scale {
    shift: u32,
    /// The scaled limit to which returns are clipped.
    limit: i16,
}

impl Scale {
    fn of_limit(limit: i64) -> Self {
        let mut shift = 0;
        while rounded(limit, shift) > MAX_SCALED {
            shift += 1;
        }
        Self { shift, limit: i16::try_from(rounded(limit, shift)).unwrap_or(i16::MAX) }
    }

    fn clipped(self, size: i64) -> i16 {
        saturated(rounded(size, self.shift)).clamp(-self.limit, self.limit)
    }
}

fn rounded(size: i64, shift: u32) -> i64 {
    if shift == 0 { size } else { size.saturating_add(1 << (shift - 1)) >> shift }
}

#[expect(clippy::cast_possible_truncation, reason = "clamped before")]
fn saturated(size: i64) -> i16 {
    size.clamp(-i64::from(i16::MAX), i64::from(i16::MAX)) as i16
}

/// The returns of a reference, scaled for each block length of a query on first use.
#[derive(Debug, Default)]
pub(super) struct ScaledReturns {
    by_shift: Vec<Option<Vec<i16>>>,
}

impl ScaledReturns {
    /// The returns between the closes `units`, from position 1 on, divided by `2^shift`.
    fn of(&mut self, units: &[i64], shift: u32) -> &[i16] {
        let at = shift as usize;
        if self.by_shift.len() <= at {
            self.by_shift.resize(at + 1, None);
        }
        self.by_shift[at].get_or_insert_with(|| {
            let mut scaled = vec![0; PAD + 1];
            let sizes = units.windows(2).map(|pair| pair[1] - pair[0]);
            scaled.extend(sizes.map(|size| saturated(rounded(size, shift))));
            scaled.resize(scaled.len() + PAD, 0);
            scaled
        })
    }
}

/// A block of a query and the limits of correlations.
#[derive(Debug)]
pub(super) struct BlockScan {
    scale: Scale,
    whole: Pattern<BLOCK>,
    least_near: f32,
}

/// The returns around an anchor.
#[derive(Debug)]
pub(super) struct AnchorScan {
    near: Pattern<AROUND>,
    /// Returns of the block before the anchor, and from it on.
    before: usize,
    from: usize,
    /// Returns of the block before the first near one.
    before_near: usize,
}

impl BlockScan {
    /// `returns` are those of the block, clipped to `limit`; `least` are the smallest absolute correlations of the whole block
    /// and around an anchor that matter.
    pub(super) fn new(returns: &[i64], limit: i64, least: (f64, f64)) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "limits have few digits")]
        let (least, least_near) = (least.0 as f32, least.1 as f32);
        let scale = Scale::of_limit(limit);
        Self { scale, whole: Pattern::new(returns, scale, least), least_near }
    }

    /// The anchor is at the index `anchor` of the block's `returns`, and the returns `near` are around it.
    pub(super) fn anchor(
        &self,
        returns: &[i64],
        anchor: usize,
        near: std::ops::RangeInclusive<usize>,
    ) -> AnchorScan {
        AnchorScan {
            before: anchor,
            from: returns.len() - anchor,
            before_near: *near.start(),
            near: Pattern::new(&returns[near], self.scale, self.least_near),
        }
    }

    /// Adds to `kept` those places of the anchor at which a correlation may reach its limit.
    pub(super) fn scan(
        &self,
        anchor: &AnchorScan,
        places: &[(u32, u32)],
        reference: (&[i64], &mut ScaledReturns),
        kept: &mut Vec<u32>,
    ) {
        let (units, scaled) = reference;
        let returns = scaled.of(units, self.scale.shift);
        let scan = Scan { block: self, anchor, places, returns, n_bars: units.len(), kept };
        Arch::new().dispatch(scan);
    }
}

struct Scan<'a> {
    block: &'a BlockScan,
    anchor: &'a AnchorScan,
    /// Size of a return and its position.
    places: &'a [(u32, u32)],
    returns: &'a [i16],
    n_bars: usize,
    kept: &'a mut Vec<u32>,
}

impl WithSimd for Scan<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let limit = self.block.scale.limit;
        let min_squares = if self.block.scale.shift == 0 { 0 } else { MIN_SQUARES };
        for (_, position) in self.places {
            let at = *position as usize;
            // The exact correlation leaves out returns beyond the ends of the reference.
            let is_inside = at > self.anchor.before && at + self.anchor.from <= self.n_bars;
            let whole = &self.returns[PAD + at - self.anchor.before..];
            let near = &whole[self.anchor.before_near..];
            if !is_inside
                || self.block.whole.may_correlate(whole, limit, min_squares)
                || self.anchor.near.may_correlate(near, limit, min_squares)
            {
                self.kept.push(*position);
            }
        }
    }
}
