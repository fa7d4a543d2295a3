//! Confidence interval of a Sharpe ratio by the stationary bootstrap (Politis, Romano 1994), which resamples blocks of
//! consecutive bars and so preserves their dependence.

use super::sharpe_ratio::sharpe_per_bar;
use crate::metrics::basics::mean;
use crate::metrics::basics::{NO_SPREAD, all_finite, finite};

/// Number of resamples for an interval.
const N_RESAMPLES: usize = 10_000;
/// Fraction of the resamples outside the interval, half of it on each side.
const OUTSIDE: f64 = 0.05;
/// Fewest blocks in a series.
const MIN_BLOCKS: f64 = 5.0;
/// Most blocks in a resample. In a long series blocks are longer than optimal, which costs little precision and bounds the
/// running time.
const MAX_BLOCKS: f64 = 5_000.0;
/// Resamples with equal returns are dropped, up to this fraction of all.
const MAX_DROPPED: f64 = 0.01;
/// Above this probability of a new block at each bar, drawing bar by bar is faster than drawing block lengths.
const SHORT_BLOCKS: f64 = 0.05;

/// A 95 % interval of a Sharpe ratio per year.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SharpeInterval {
    /// 2.5 % quantile of the resamples.
    pub low: f64,
    /// 97.5 % quantile.
    pub high: f64,
    /// Mean length of a block, in bars.
    pub mean_block: f64,
}

/// The 95 % percentile interval of the Sharpe ratio per year, from 10,000 resamples with blocks of the optimal length
/// ([`optimal_block`]). The same returns always give the same interval.
///
/// `None` where the Sharpe ratio is undefined, for fewer than five blocks, and where more than 1 % of the resamples have
/// equal returns.
pub fn sharpe_interval(returns: &[f64], bars_per_year: f64) -> Option<SharpeInterval> {
    let n = returns.len() as f64;
    let mean_block = optimal_block(returns)?.max(n / MAX_BLOCKS);
    sharpe_interval_of(returns, bars_per_year, mean_block)
}

/// As [`sharpe_interval`], with blocks of a given mean length in bars, at least 1.
pub fn sharpe_interval_of(
    returns: &[f64],
    bars_per_year: f64,
    mean_block: f64,
) -> Option<SharpeInterval> {
    let mean_block = mean_block.max(1.0);
    sharpe_per_bar(returns)?;
    if (returns.len() as f64) < MIN_BLOCKS * mean_block {
        return None;
    }
    let resampler = Resampler::new(returns, mean_block)?;
    let mut draws = SplitMix::default();
    let mut sharpes: Vec<f64> =
        (0..N_RESAMPLES).filter_map(|_| resampler.sharpe_per_bar(&mut draws)).collect();
    if ((N_RESAMPLES - sharpes.len()) as f64) > MAX_DROPPED * N_RESAMPLES as f64 {
        return None;
    }
    sharpes.sort_by(f64::total_cmp);
    let scale = bars_per_year.sqrt();
    Some(SharpeInterval {
        low: finite(quantile(&sharpes, OUTSIDE / 2.0) * scale)?,
        high: finite(quantile(&sharpes, 1.0 - OUTSIDE / 2.0) * scale)?,
        mean_block,
    })
}

/// The indices of the bars in a resample: at each position the bar after the previous one, wrapping around, unless
/// `u_t ≤ 1/mean_block`, where a new block begins at `starts[t]`.
pub fn stationary_indices(starts: &[usize], uniforms: &[f64], mean_block: f64) -> Vec<usize> {
    let n = starts.len();
    let mut indices: Vec<usize> = Vec::with_capacity(n);
    for (t, (start, uniform)) in starts.iter().zip(uniforms).enumerate() {
        let follows = indices.last().filter(|_| t > 0 && *uniform > 1.0 / mean_block);
        indices.push(follows.map_or(*start, |last| (last + 1) % n));
    }
    indices
}

/// The optimal mean block length of a series in bars (Politis, White 2004, corrected by Patton, Politis, White 2009), at
/// least 1. `None` for fewer than ten returns, or equal ones.
pub fn optimal_block(returns: &[f64]) -> Option<f64> {
    const MIN_RETURNS: usize = 10;
    let n_bars = returns.len();
    if n_bars < MIN_RETURNS || !all_finite(returns) {
        return None;
    }
    let n = n_bars as f64;
    let centre = mean(returns)?;
    let deviations: Vec<f64> = returns.iter().map(|r| r - centre).collect();
    if deviations.iter().all(|deviation| deviation.abs() <= NO_SPREAD) {
        return None;
    }
    let n_small = (n.log10() as usize).max(5);
    let max_lag = (n.sqrt().ceil() as usize + n_small).min(n_bars - 2);
    let critical = 2.0 * (n.log10() / n).sqrt();
    let product = |lag: usize| dot(&deviations[lag..], &deviations[..n_bars - lag]);
    let covariances: Vec<f64> = (0..=max_lag).map(|lag| product(lag) / n).collect();
    let correlation = |lag: usize| {
        let (late, early) = (&deviations[lag + 1..], &deviations[..n_bars - lag - 1]);
        covariances[lag].abs() * n / (dot(late, late) * dot(early, early)).sqrt()
    };
    let correlations: Vec<f64> = (0..=max_lag).map(correlation).collect();
    // The first lag from which on `n_small` correlations are insignificant.
    let settled = (n_small..=max_lag)
        .find(|lag| correlations[lag - n_small..*lag].iter().all(|c| *c < critical))
        .map(|lag| lag - n_small);
    let bandwidth = settled.map_or(max_lag, |lag| (2 * lag.max(1)).min(max_lag));
    let (mut slope, mut spectrum) = (0.0, covariances[0]);
    for (lag, covariance) in covariances.iter().enumerate().take(bandwidth + 1).skip(1) {
        let share = lag as f64 / bandwidth as f64;
        let weight = if share <= 0.5 { 1.0 } else { 2.0 * (1.0 - share) };
        slope += 2.0 * weight * lag as f64 * covariance;
        spectrum += 2.0 * weight * covariance;
    }
    let longest = (3.0 * n.sqrt()).min(n / 3.0).ceil();
    let block = (slope * slope / (spectrum * spectrum) * n).cbrt();
    finite(block.min(longest).max(1.0))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Quantile of type 7 (Hyndman, Fan 1996) of sorted values.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = (sorted.len() - 1) as f64 * share;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + position.fract() * (sorted[above] - sorted[below])
}

/// Prefix sums of a series, so that the cost of a resample is its number of blocks, not of bars.
struct Resampler {
    centre: f64,
    /// Deviations from the mean.
    deviations: Vec<f64>,
    /// Sums of the deviations and of their squares before each bar, over the series repeated twice.
    sums: Vec<(f64, f64)>,
    /// Probability of a new block at each bar.
    new_block: f64,
}

impl Resampler {
    fn new(returns: &[f64], mean_block: f64) -> Option<Self> {
        let centre = mean(returns)?;
        let deviations: Vec<f64> = returns.iter().map(|r| r - centre).collect();
        let mut sums = Vec::with_capacity(2 * returns.len() + 1);
        let (mut sum, mut squares) = (0.0, 0.0);
        sums.push((sum, squares));
        for deviation in deviations.iter().chain(&deviations) {
            sum += deviation;
            squares += deviation * deviation;
            sums.push((sum, squares));
        }
        Some(Self { centre, deviations, sums, new_block: 1.0 / mean_block })
    }

    fn sharpe_per_bar(&self, draws: &mut SplitMix) -> Option<f64> {
        let is_short = self.new_block >= SHORT_BLOCKS;
        let (sum, squares) =
            if is_short { self.sums_bar_by_bar(draws) } else { self.sums_by_block(draws) };
        let n = self.deviations.len() as f64;
        let deviation = ((squares - sum * sum / n) / (n - 1.0)).sqrt();
        (deviation > NO_SPREAD).then(|| (self.centre + sum / n) / deviation)
    }

    fn sums_bar_by_bar(&self, draws: &mut SplitMix) -> (f64, f64) {
        let n = self.deviations.len();
        let (mut idx, mut sum, mut squares) = (draws.below(n), 0.0, 0.0);
        for _ in 0..n {
            let deviation = self.deviations[idx];
            sum += deviation;
            squares += deviation * deviation;
            idx = if draws.uniform() > self.new_block { idx + 1 } else { draws.below(n) };
            idx = if idx == n { 0 } else { idx };
        }
        (sum, squares)
    }

    /// Draws blocks with geometric lengths; the last one is cut to the length of the series.
    fn sums_by_block(&self, draws: &mut SplitMix) -> (f64, f64) {
        let n = self.deviations.len();
        let (mut drawn, mut sum, mut squares) = (0, 0.0, 0.0);
        while drawn < n {
            let start = draws.below(n);
            let further = libm::log(1.0 - draws.uniform()) / libm::log1p(-self.new_block);
            let length = (1 + further as usize).min(n - drawn);
            let (from, to) = (self.sums[start], self.sums[start + length]);
            sum += to.0 - from.0;
            squares += to.1 - from.1;
            drawn += length;
        }
        (sum, squares)
    }
}

/// The random generator `SplitMix64` (Steele, Lea, Flood 2014), always with the same seed, so that an interval is a
/// function of its returns.
#[derive(Default)]
pub(super) struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number in `[0, 1)`, a multiple of 2^-32.
    fn uniform(&mut self) -> f64 {
        (self.next() >> 32) as f64 / (1_u64 << 32) as f64
    }

    /// A number below `n`. The bias of this method is negligible for such `n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        (((self.next() >> 32) * n as u64) >> 32) as usize
    }
}
