//! A quick test whether the returns of two series can agree on a horizon, by sums over blocks in vector instructions.
//!
//! Every window of the exact comparison contains some whole blocks and lies inside some others. Lower bounds of the
//! differences and upper bounds of the moves in these blocks show for almost all series that are not alike that no window
//! agrees. It never rules out a window that does.

#![expect(
    clippy::inline_always,
    reason = "only what is inlined into the dispatched function may use its vector instructions"
)]

use pulp::{Arch, Simd, WithSimd};

/// Larger log prices are not tested: sums could exceed 32 bits.
const MAX_PRICE: i64 = 1 << 28;
/// Larger usual returns are not tested, for the same reason.
const MAX_USUAL: i32 = 1 << 21;
/// At most this many returns are used to guess the usual one.
const N_SAMPLED: usize = 100;
/// The guess must be right up to this factor. That is checked.
const FACTOR: i32 = 2;
/// Allowance for rounding of floats.
const ROUNDING: f64 = 1e-9;

/// What the exact comparison of windows requires.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Number of returns of each kind of window in horizons, the largest difference, and whether it is enough that most returns
    /// are nearly equal.
    pub(super) windows: [(usize, f64, bool); 2],
    /// Returns are clipped to this many times their median size, a whole number.
    pub(super) clip: i32,
    /// Nearly equal returns differ by at most this share of the usual return around them …
    pub(super) near: f64,
    /// … and are at least this share of a window.
    pub(super) near_share: f64,
    /// The usual return is taken over this many returns, a multiple of 64.
    pub(super) around: usize,
}

/// Log prices of two series in 32 bits.
#[derive(Debug)]
pub(super) struct HorizonScan {
    query: Vec<i32>,
    /// Query minus reference.
    gap: Vec<i32>,
}

/// Sums over a block of returns.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    /// At most the clipped differences.
    differences: i64,
    /// At least the clipped moves.
    moves: i64,
    /// Number of pairs of returns of which one is not zero …
    n_either: i64,
    /// … and at least the number of those that are nearly equal.
    n_near: i64,
}

impl HorizonScan {
    /// `None` for extreme prices, which are not tested.
    pub(super) fn new(query: &[i64], reference: &[i64]) -> Option<Self> {
        let are_small = |prices: &[i64]| {
            prices.iter().fold(0, |most, price| most.max(price.abs())) <= MAX_PRICE
        };
        if !are_small(query) || !are_small(reference) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "prices were checked to be small")]
        let narrow = |price: i64| price as i32;
        let gap = query.iter().zip(reference).map(|(a, b)| narrow(a - b)).collect();
        Some(Self { query: query.iter().map(|price| narrow(*price)).collect(), gap })
    }

    /// Whether some window of returns of the horizon may agree.
    pub(super) fn may_agree(&self, horizon: usize, limits: &Limits) -> bool {
        let n = self.query.len().saturating_sub(horizon);
        let Some(usual) = self.guess(horizon, n) else { return true };
        let returns = Returns {
            begin: &self.query[..n],
            end: &self.query[horizon..],
            gap_begin: &self.gap[..n],
            gap_end: &self.gap[horizon..],
        };
        let task = Task { returns, usual, limits };
        // A window is some times 8 horizons long; see `windows_may_agree`.
        let sums = match horizon {
            1 => Arch::new().dispatch(Blockwise::<8>(task)),
            2 => Arch::new().dispatch(Blockwise::<16>(task)),
            _ => Arch::new().dispatch(Blockwise::<32>(task)),
        };
        let Some(sums) = sums else { return true };
        let per_step = (8 * horizon).div_ceil(32).max(1);
        let steps: Vec<Sums> = sums.chunks(per_step).map(added).collect();
        limits.windows.iter().any(|(n_returns, difference, is_most_enough)| {
            let near_share = is_most_enough.then_some(limits.near_share);
            windows_may_agree(&steps, (n / (8 * horizon), n_returns / 8), *difference, near_share)
        })
    }

    /// About the median size of those returns that are not zero.
    fn guess(&self, horizon: usize, n: usize) -> Option<i32> {
        let step = n.div_ceil(N_SAMPLED).max(1);
        let moved = |at: usize| (self.query[at + horizon] - self.query[at]).abs();
        let mut sizes: Vec<i32> =
            (0..n).step_by(step).map(moved).filter(|size| *size > 0).collect();
        let middle = sizes.len() / 2;
        let found = (!sizes.is_empty()).then(|| *sizes.select_nth_unstable(middle).1);
        found.filter(|found| *found <= MAX_USUAL)
    }
}

fn added(blocks: &[Sums]) -> Sums {
    let mut sum = Sums::default();
    for block in blocks {
        sum.differences += block.differences;
        sum.moves += block.moves;
        sum.n_either += block.n_either;
        sum.n_near += block.n_near;
    }
    sum
}

/// Whether some window of `n_steps` whole steps may agree. A window that begins in a step contains the following
/// `n_steps - 1` ones, and lies in `n_steps + 1`. `n_whole` is the number of steps without an incomplete one at the end.
fn windows_may_agree(
    steps: &[Sums],
    (n_whole, n_steps): (usize, usize),
    difference: f64,
    near_share: Option<f64>,
) -> bool {
    (0..(n_whole + 1).saturating_sub(n_steps)).any(|first| {
        let inside = added(&steps[first + 1..first + n_steps]);
        let around = added(&steps[first..(first + n_steps + 1).min(steps.len())]);
        let is_alike = inside.differences as f64 <= difference * around.moves as f64 + ROUNDING;
        let is_mostly_near = near_share
            .is_some_and(|share| around.n_near as f64 >= share * inside.n_either as f64 - ROUNDING);
        is_alike || is_mostly_near
    })
}

/// Log prices at the begin and the end of each return.
#[derive(Clone, Copy)]
struct Returns<'a> {
    begin: &'a [i32],
    end: &'a [i32],
    gap_begin: &'a [i32],
    gap_end: &'a [i32],
}

impl<'a> Returns<'a> {
    fn blocks(self, n: usize) -> impl Iterator<Item = Self> + 'a {
        let begins = self.begin.chunks(n).zip(self.end.chunks(n));
        let gaps = self.gap_begin.chunks(n).zip(self.gap_end.chunks(n));
        begins.zip(gaps).map(|((begin, end), (gap_begin, gap_end))| Self {
            begin,
            end,
            gap_begin,
            gap_end,
        })
    }

    /// Calls a function with the sizes of each return and of its difference from that of the reference.
    #[inline(always)]
    fn each<const N: usize>(self, mut add: impl FnMut(i32, i32)) {
        let whole = (
            self.begin.first_chunk::<N>(),
            self.end.first_chunk::<N>(),
            self.gap_begin.first_chunk::<N>(),
            self.gap_end.first_chunk::<N>(),
        );
        if let (Some(begin), Some(end), Some(gap_begin), Some(gap_end)) = whole {
            for at in 0..N {
                add((end[at] - begin[at]).abs(), (gap_end[at] - gap_begin[at]).abs());
            }
        } else {
            for at in 0..self.begin.len() {
                let difference = (self.gap_end[at] - self.gap_begin[at]).abs();
                add((self.end[at] - self.begin[at]).abs(), difference);
            }
        }
    }
}

struct Task<'a> {
    returns: Returns<'a>,
    /// About the median size of a return that is not zero.
    usual: i32,
    limits: &'a Limits,
}

/// Sums over blocks of `N` returns.
struct Blockwise<'a, const N: usize>(Task<'a>);

impl<const N: usize> WithSimd for Blockwise<'_, N> {
    /// `None` if the usual return was not guessed well enough.
    type Output = Option<Vec<Sums>>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> Option<Vec<Sums>> {
        let Task { returns, usual, limits } = self.0;
        let (low, high) = (usual / FACTOR, usual.saturating_mul(FACTOR));
        let (clip_low, clip_high) = (low * limits.clip, high * limits.clip);
        let (mut n_none, mut n_below, mut n_up_to) = (0, 0, 0);
        let mut sums = Vec::with_capacity(returns.begin.len().div_ceil(N));
        for block in returns.blocks(N) {
            let (mut differences, mut moves) = (0, 0);
            let (mut none, mut below, mut up_to) = (0_i32, 0_i32, 0_i32);
            block.each::<N>(|size, difference| {
                differences += difference.min(clip_low);
                moves += size.min(clip_high);
                none += i32::from(size == 0);
                below += i32::from(size < low);
                up_to += i32::from(size <= high);
            });
            n_none += i64::from(none);
            n_below += i64::from(below);
            n_up_to += i64::from(up_to);
            let (differences, moves) = (i64::from(differences), i64::from(moves));
            sums.push(Sums { differences, moves, ..Sums::default() });
        }
        // The median is the size at the index `middle` of those that are not zero.
        let middle = (returns.begin.len() as i64 - n_none) / 2;
        if n_below.max(n_none) - n_none > middle || n_up_to - n_none <= middle {
            return None;
        }
        let around = limits.around / 2;
        let n_blocks = around / N;
        for (idx, block) in returns.blocks(N).enumerate() {
            let last = (idx + n_blocks + 1).min(sums.len());
            let moves: i64 =
                sums[idx.saturating_sub(n_blocks)..last].iter().map(|sum| sum.moves).sum();
            let is_inner = idx * N >= around && (idx + 1) * N + around <= returns.begin.len();
            let n_returns = if is_inner { limits.around } else { around };
            let largest = limits.near * moves as f64 / n_returns as f64 + ROUNDING;
            #[expect(clippy::cast_possible_truncation, reason = "returns were checked to be small")]
            let largest = largest as i32;
            let (mut n_zero, mut near) = (0_i32, 0_i32);
            block.each::<N>(|size, difference| {
                n_zero += i32::from(size | difference == 0);
                near += i32::from(difference <= largest);
            });
            sums[idx].n_either = block.begin.len() as i64 - i64::from(n_zero);
            sums[idx].n_near = i64::from(near) - i64::from(n_zero);
        }
        Some(sums)
    }
}
