//! How well two sequences of log prices agree: the differences of their returns over several horizons.

/// Horizons in bars. Noise of single prices matters less in long returns, so that rounded prices and quotes of another
/// vendor agree on some horizon, while two instruments differ on all.
pub(super) const HORIZONS: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];
/// The mean absolute difference of returns, as a share of the mean absolute return, up to which two sequences agree. For
/// normal returns it is `sqrt(2 (1 - correlation))`, so 0.1 is a correlation of 0.995. Index funds on different indices
/// reach 0.97.
pub(super) const AGREEMENT: f64 = 0.1;
/// Windows on which two sequences are compared: their number of returns that do not overlap, and the difference up to which
/// they agree. Few returns of two related instruments can be alike by chance, so a short window must agree better.
const WINDOWS: [(usize, f64); 2] = [(MIN_RETURNS, 0.8 * AGREEMENT), (2 * MIN_RETURNS, AGREEMENT)];
/// Fewer returns that do not overlap are not compared.
const MIN_RETURNS: usize = 32;
/// A return counts up to this many times the mean absolute return, so that single bars do not decide.
const CLIP: f64 = 4.0;
/// A window in which fewer of its returns are different from zero says nothing.
const MIN_MOVES: usize = 16;

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
}

impl Paired {
    pub(super) fn len(&self) -> usize {
        self.query.len()
    }

    /// Whether each pair lies in a window on which the returns of some horizon agree.
    pub(super) fn agreeing(&self) -> Vec<bool> {
        // Number of windows that begin at each pair, less those that end before it.
        let mut begun = vec![0_i32; self.len() + 1];
        for horizon in HORIZONS {
            let Some(sums) = self.sums(horizon) else { continue };
            for (n_returns, limit) in WINDOWS {
                let n_returns = n_returns * horizon;
                for first in 0..(self.len() + 1).saturating_sub(n_returns + horizon) {
                    let end = first + n_returns;
                    if sums.difference(first, end).is_some_and(|found| found <= limit) {
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
        // The median of a normal variable is two thirds of its mean absolute value.
        let middle = sizes.len() / 2;
        let typical = *sizes.select_nth_unstable_by(middle, f64::total_cmp).1 * 1.5;
        let limit = CLIP * typical;
        let mut sums = Sums { differences: vec![0.0], moves: vec![0.0], n_moves: vec![0] };
        let (mut difference, mut size, mut n_moves) = (0.0, 0.0, 0);
        for at in 0..n {
            let (a, b) = (moved(&self.query, at), moved(&self.reference, at));
            difference += (a - b).abs().min(limit);
            size += a.abs().min(limit);
            n_moves += usize::from(a != 0.0);
            sums.differences.push(difference);
            sums.moves.push(size);
            sums.n_moves.push(n_moves);
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
}
