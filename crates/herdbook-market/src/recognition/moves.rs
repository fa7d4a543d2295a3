//! How well two sequences of log prices agree: the differences of their returns over several horizons.

use super::horizon_scan::{HorizonScan, Limits};
use super::shortcuts::Shortcuts;

/// Horizons in bars. Noise of single prices matters less in long returns, so that rounded prices and quotes of another
/// vendor agree on some horizon, while two instruments differ on all.
pub(super) const HORIZONS: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];
/// The mean absolute difference of returns, as a share of the mean absolute return, up to which two sequences agree. For
/// normal returns it is `sqrt(2 (1 - correlation))`, so 0.1 is a correlation of 0.995. Index funds on different indices
/// reach 0.97.
pub(super) const AGREEMENT: f64 = 0.1;
/// Windows on which two sequences are compared: their number of returns that do not overlap, the difference up to which
/// they agree, and whether it is enough that most returns are nearly equal. Few returns of two related instruments can be alike by chance, so a short window must agree better.
const WINDOWS: [(usize, f64, bool); 2] =
    [(MIN_RETURNS, 0.8 * AGREEMENT, false), (2 * MIN_RETURNS, AGREEMENT, true)];
/// Fewer returns that do not overlap are not compared.
const MIN_RETURNS: usize = 32;
/// Where most returns of a window are nearly equal, single altered bars do not matter: this share of them …
const NEAR_SHARE: f64 = 0.75;
/// … must differ by at most this share of the usual return around them. With a correlation of 0.97 a third of them do.
const NEAR: f64 = 0.1;
/// The usual return is taken over this many returns.
const AROUND: usize = 64;
/// A return counts up to this many times the median absolute return, so that single bars do not decide. For normal returns
/// it is four times the mean.
const CLIP: i32 = 6;
/// A window in which fewer of its returns differ in size from the one before says nothing: a price that only changes between
/// two values repeats itself.
const MIN_MOVES: usize = 16;
/// Sizes of returns are equal up to this difference, in units of the closes.
const EQUAL_SIZE: f64 = 2.0;
const LIMITS: Limits =
    Limits { windows: WINDOWS, clip: CLIP, near: NEAR, near_share: NEAR_SHARE, around: AROUND };

/// Two sequences of log prices at the same moments, in units of 0.01 basis points.
#[derive(Debug)]
pub(super) struct Paired {
    pub(super) query: Vec<i64>,
    /// Negative logarithms for an inverted price.
    pub(super) reference: Vec<i64>,
}

/// The sums over returns of one horizon up to each of them.
struct Sums {
    differences: Vec<f64>,
    moves: Vec<f64>,
    n_moves: Vec<usize>,
    /// Number of pairs of returns of which one is not zero …
    n_either: Vec<usize>,
    /// … and that are nearly equal.
    n_near: Vec<usize>,
}

impl Paired {
    pub(super) fn len(&self) -> usize {
        self.query.len()
    }

    /// Whether each pair lies in a window on which the returns of some horizon agree. Empty if none does.
    pub(super) fn agreeing(&self, shortcuts: Shortcuts) -> Vec<bool> {
        let horizons = self.horizons_that_may_agree(shortcuts);
        if horizons.is_empty() {
            return Vec::new();
        }
        // Number of windows that begin at each pair, less those that end before it.
        let mut begun = vec![0_i32; self.len() + 1];
        for horizon in horizons {
            let Some(sums) = self.sums(horizon) else { continue };
            for (n_returns, limit, is_most_enough) in WINDOWS {
                let n_returns = n_returns * horizon;
                for first in 0..(self.len() + 1).saturating_sub(n_returns + horizon) {
                    let end = first + n_returns;
                    let is_alike = sums.difference(first, end).is_some_and(|found| found <= limit);
                    if is_alike || (is_most_enough && sums.is_mostly_near(first, end)) {
                        begun[first] += 1;
                        begun[end + horizon] -= 1;
                    }
                }
            }
        }
        let mut open = 0;
        begun.truncate(self.len());
        begun
            .iter()
            .map(|change| {
                open += change;
                open > 0
            })
            .collect()
    }

    fn horizons_that_may_agree(&self, shortcuts: Shortcuts) -> Vec<usize> {
        let has_window = |horizon: &usize| self.len() >= (MIN_RETURNS + 1) * horizon;
        let mut horizons: Vec<usize> = HORIZONS.into_iter().filter(has_window).collect();
        if shortcuts == Shortcuts::Taken
            && !horizons.is_empty()
            && let Some(scan) = HorizonScan::new(&self.query, &self.reference)
        {
            horizons.retain(|horizon| scan.may_agree(*horizon, &LIMITS));
        }
        horizons
    }

    /// The mean absolute difference of the returns of a horizon as a share of the mean absolute return, over all pairs;
    /// `None` for fewer than [`MIN_RETURNS`] returns that do not overlap, or if prices hardly move.
    pub(super) fn difference(&self, horizon: usize) -> Option<f64> {
        if self.len() < (MIN_RETURNS + 1) * horizon {
            return None;
        }
        self.sums(horizon)?.difference(0, self.len() - horizon)
    }

    /// `None` if no price moves.
    fn sums(&self, horizon: usize) -> Option<Sums> {
        let n = self.len().saturating_sub(horizon);
        let moved = |prices: &[i64], at: usize| (prices[at + horizon] - prices[at]) as f64;
        let mut sizes: Vec<f64> =
            (0..n).map(|at| moved(&self.query, at).abs()).filter(|size| *size > 0.0).collect();
        if sizes.is_empty() {
            return None;
        }
        let middle = sizes.len() / 2;
        let limit = *sizes.select_nth_unstable_by(middle, f64::total_cmp).1 * f64::from(CLIP);
        let mut sums = Sums {
            differences: vec![0.0],
            moves: vec![0.0],
            n_moves: vec![0],
            n_either: vec![0],
            n_near: vec![0],
        };
        let (mut difference, mut size, mut n_moves, mut last) = (0.0, 0.0, 0, 0.0_f64);
        for at in 0..n {
            let (a, b) = (moved(&self.query, at), moved(&self.reference, at));
            difference += (a - b).abs().min(limit);
            size += a.abs().min(limit);
            n_moves += usize::from(a != 0.0 && (a.abs() - last).abs() > EQUAL_SIZE);
            last = if a == 0.0 { last } else { a.abs() };
            sums.differences.push(difference);
            sums.moves.push(size);
            sums.n_moves.push(n_moves);
        }
        let (mut n_either, mut n_near) = (0, 0);
        for at in 0..n {
            let (a, b) = (moved(&self.query, at), moved(&self.reference, at));
            let (first, end) = (at.saturating_sub(AROUND / 2), (at + AROUND / 2).min(n));
            let usual = (sums.moves[end] - sums.moves[first]) / (end - first) as f64;
            let is_either = a != 0.0 || b != 0.0;
            n_either += usize::from(is_either);
            n_near += usize::from(is_either && (a - b).abs() <= NEAR * usual);
            sums.n_either.push(n_either);
            sums.n_near.push(n_near);
        }
        Some(sums)
    }
}

impl Sums {
    /// The mean absolute difference of the returns that begin at `first` and before `end`, as a share of the mean absolute
    /// return; `None` if prices hardly move.
    fn difference(&self, first: usize, end: usize) -> Option<f64> {
        let n_moves = self.n_moves[end] - self.n_moves[first];
        let moved = self.moves[end] - self.moves[first];
        (n_moves >= MIN_MOVES && moved > 0.0)
            .then(|| (self.differences[end] - self.differences[first]) / moved)
    }

    /// Whether most of the returns that begin at `first` and before `end` are nearly equal.
    fn is_mostly_near(&self, first: usize, end: usize) -> bool {
        let n_either = self.n_either[end] - self.n_either[first];
        let n_near = self.n_near[end] - self.n_near[first];
        let n_moves = self.n_moves[end] - self.n_moves[first];
        n_moves >= MIN_MOVES && n_near as f64 >= NEAR_SHARE * n_either as f64
    }
}
