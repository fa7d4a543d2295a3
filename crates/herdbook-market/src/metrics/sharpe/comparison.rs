//! Test of a model's Sharpe ratio against those of doing nothing and of holding, by the studentised circular block
//! bootstrap of the paired returns (Ledoit, Wolf 2008, "Robust performance hypothesis testing with the Sharpe ratio").
//!
//! Each resample draws blocks of bars with the returns of both sides, so it keeps their correlation and the dependence
//! between bars. The difference of Sharpe ratios is divided by its standard error, in the sample and in every resample.
//!
//! Two tests from the same resamples: against doing nothing (the model's own Sharpe ratio) and against holding. The
//! better of the two is not known, and the sample's choice of it would be a selection. So a model must pass both tests
//! (intersection-union test, Berger 1982): the probability is the smaller of the two, and needs no correction.

use super::bootstrap::{SplitMix, optimal_block};
use super::deflated_sharpe_ratio::expected_max_z;
use super::long_run_variance::long_run_variance;
use super::moments::{Benchmark, Centres, Ratios, Sums, add, dot, scaled};
use crate::metrics::basics::{all_finite, finite};

/// Number of resamples, as in Ledoit, Wolf 2008. With it, a multiple of 1/5,000 is an exact probability.
const N_RESAMPLES: usize = 4_999;
/// Number of benchmarks: doing nothing, and holding.
const N_BENCHMARKS: usize = 2;
/// Fraction of the resamples outside the interval on each side.
const OUTSIDE: f64 = 0.05;
/// Fewest blocks in a resample.
const MIN_BLOCKS: usize = 10;
/// Most blocks in a resample: bounds the running time. In a long series blocks are longer than optimal, which costs little
/// precision.
const MAX_BLOCKS: usize = 5_000;
/// Resamples in which a side does not vary, or the two sides do the same, are dropped, up to this fraction of all.
const MAX_DROPPED: f64 = 0.01;
/// `(3/2)^(1/3)`: optimal circular blocks are longer by this factor than mean stationary ones (Politis, White 2004, with
/// the correction of 2009).
const CIRCULAR: f64 = 1.144_714_242_553_332;

/// A model compared with doing nothing and with holding over the same bars.
#[derive(Debug, Clone, PartialEq)]
pub struct SharpeComparison {
    /// Against doing nothing: the model's own Sharpe ratio.
    pub flat: SharpeDifference,
    /// Against holding; `None` where prices do not vary, so that holding is doing nothing.
    pub holding: Option<SharpeDifference>,
    /// Length of a block, in bars.
    pub block: usize,
}

/// The difference of the model's Sharpe ratio from a benchmark's, per bar.
#[derive(Debug, Clone, PartialEq)]
pub struct SharpeDifference {
    /// The difference in the sample.
    pub difference: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Lower end of the 90 % interval: 5 % of the probability lies below it.
    pub low: f64,
    /// Upper end: 5 % lies above it.
    pub high: f64,
    /// The studentised deviations of the resamples from the sample, in ascending order; none for a model that did exactly
    /// as the benchmark did.
    studentised: Sorted,
}

/// Sorted values. Their number is enough in debug output.
#[derive(Clone, PartialEq)]
struct Sorted(Vec<f64>);

impl std::fmt::Debug for Sorted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} values", self.0.len())
    }
}

impl SharpeComparison {
    /// Compares returns per bar, of the model and of holding over the same bars.
    ///
    /// The same returns always give the same result. `None` where the model's Sharpe ratio is undefined, for fewer than 20
    /// bars, and where in over 1 % of the resamples one side does not vary or both do the same.
    ///
    /// # Panics
    /// If the two have different lengths.
    pub fn of(model: &[f64], holding: &[f64]) -> Option<Self> {
        const MIN_RETURNS: usize = 20;
        assert_eq!(model.len(), holding.len(), "returns over the same bars");
        if model.len() < MIN_RETURNS || !all_finite(model) || !all_finite(holding) {
            return None;
        }
        let centres = Centres::of(model, holding)?;
        let bars: Vec<Sums> =
            model.iter().zip(holding).map(|(m, h)| centres.sums_of_bar(*m, *h)).collect();
        let ratios = centres.ratios(&mean_of(&bars))?;
        let flat = Linear::of(&bars, &ratios, Benchmark::Flat)?;
        let holding = Linear::of(&bars, &ratios, Benchmark::Holding);
        let block = flat.block.max(holding.as_ref().map_or(1, |holding| holding.block));
        let longest = (bars.len() / MIN_BLOCKS).max(1);
        let block = block.max(bars.len().div_ceil(MAX_BLOCKS)).min(longest);
        let mut tests = vec![flat];
        tests.extend(holding);
        let drawn = resample(&bars, centres, block, &tests)?;
        let mut differences =
            tests.iter().zip(drawn).map(|(test, drawn)| SharpeDifference::of(test, drawn));
        let flat = differences.next()?;
        Some(Self { flat, holding: differences.next(), block })
    }

    /// Probability, from 0 to 1, that the model's true Sharpe ratio is above both benchmarks: the smaller of the two, each
    /// one minus the p-value of the one-sided test.
    pub fn probability(&self) -> f64 {
        self.probability_beyond(0.0)
    }

    /// The probability after `n_tries` models or looks, of which this is the best: by luck alone the best of them has an
    /// expected difference of [`expected_max_z`] standard errors, which is subtracted (as the deflated Sharpe ratio of
    /// Bailey, López de Prado 2014 does). `None` for fewer than one try.
    pub fn probability_among(&self, n_tries: f64) -> Option<f64> {
        Some(self.probability_beyond(expected_max_z(n_tries)?))
    }

    fn probability_beyond(&self, luck: f64) -> f64 {
        let flat = self.flat.probability_beyond(luck);
        self.holding.as_ref().map_or(flat, |holding| flat.min(holding.probability_beyond(luck)))
    }
}

impl SharpeDifference {
    fn of(test: &Linear, mut studentised: Vec<f64>) -> Self {
        let Linear { difference, standard_error, .. } = *test;
        studentised.sort_by(f64::total_cmp);
        // `low` is above 0 exactly where the probability is above 0.95, and `high` below 0 where it is below 0.05.
        let share = |rank: usize| rank as f64 / (studentised.len() + 1) as f64;
        let at = |rank: Option<usize>| rank.map_or(0.0, |rank| studentised[rank]);
        let low = at((0..studentised.len()).find(|rank| share(rank + 1) > 1.0 - OUTSIDE));
        let high = at((0..studentised.len()).rev().find(|rank| share(*rank) < OUTSIDE));
        Self {
            difference,
            standard_error,
            low: difference - low * standard_error,
            high: difference - high * standard_error,
            studentised: Sorted(studentised),
        }
    }

    /// Probability that the true difference is above `luck` standard errors.
    fn probability_beyond(&self, luck: f64) -> f64 {
        let Sorted(studentised) = &self.studentised;
        if studentised.is_empty() {
            return if luck > 0.0 { 0.0 } else { 0.5 };
        }
        let ratio = self.difference / self.standard_error - luck;
        let below = studentised.partition_point(|drawn| *drawn < ratio);
        below as f64 / (studentised.len() + 1) as f64
    }
}

/// A difference of Sharpe ratios and its linear approximation.
struct Linear {
    benchmark: Benchmark,
    difference: f64,
    /// 0 for a model that did exactly as the benchmark did.
    standard_error: f64,
    /// Optimal length of a block, in bars.
    block: usize,
}

impl Linear {
    /// `None` where the benchmark has no Sharpe ratio.
    fn of(bars: &[Sums], ratios: &Ratios, benchmark: Benchmark) -> Option<Self> {
        /// Two Sharpe ratios per bar that are equal up to rounding have influences below this.
        const NO_INFLUENCE: f64 = 1e-9;
        let difference = ratios.difference(benchmark)?;
        let gradient = ratios.gradient(benchmark)?;
        let mean = dot(&gradient, &mean_of(bars));
        let influences: Vec<f64> = bars.iter().map(|bar| dot(&gradient, bar) - mean).collect();
        if influences.iter().all(|influence| influence.abs() < NO_INFLUENCE) {
            return Some(Self { benchmark, difference: 0.0, standard_error: 0.0, block: 1 });
        }
        let n = bars.len() as f64;
        // The factor n/(n − 4) is that of Ledoit, Wolf 2008 for four estimated moments.
        let variance = long_run_variance(&influences)? / (n - 4.0);
        let block = (optimal_block(&influences)? * CIRCULAR).round().max(1.0) as usize;
        Some(Self { benchmark, difference, standard_error: finite(variance.sqrt())?, block })
    }
}

/// Draws all resamples. Returns per test the studentised deviations of the resamples; `None` if too many are undefined.
fn resample(
    bars: &[Sums],
    centres: Centres,
    block: usize,
    tests: &[Linear],
) -> Option<Vec<Vec<f64>>> {
    let blocks = sums_of_blocks(bars, block);
    let n_blocks = bars.len() / block;
    let mut drawn = vec![Vec::with_capacity(N_RESAMPLES); tests.len()];
    let mut draws = SplitMix::default();
    let mut chosen: Vec<Sums> = vec![[0.0; 4]; n_blocks];
    let mut n_dropped = 0_usize;
    for _ in 0..N_RESAMPLES {
        for chosen in &mut chosen {
            *chosen = blocks[draws.below(blocks.len())];
        }
        let studentised = studentise(&chosen, centres, block, tests);
        match studentised {
            Some(values) => drawn.iter_mut().zip(values).for_each(|(all, value)| all.extend(value)),
            None => n_dropped += 1,
        }
    }
    (n_dropped as f64 <= MAX_DROPPED * N_RESAMPLES as f64).then_some(drawn)
}

/// Per test `(Δ* − Δ)/s(Δ*)` of one resample, with the natural variance of block sums (Ledoit, Wolf 2008, section 3.2.2;
/// Götze, Künsch 1996). An inner `None` is a test without a standard error; `None` is for a side that does not vary, and for
/// two that do the same, whose standard error is 0 but for rounding.
fn studentise(
    chosen: &[Sums],
    centres: Centres,
    block: usize,
    tests: &[Linear],
) -> Option<Vec<Option<f64>>> {
    /// A standard error below this fraction of the sample's is one of rounding.
    const ROUNDING: f64 = 1e-9;
    let n_blocks = chosen.len() as f64;
    let mut total = [0.0; 4];
    for sums in chosen {
        add(&mut total, sums);
    }
    let mean_of_block = scaled(&total, 1.0 / n_blocks);
    let means = scaled(&mean_of_block, 1.0 / block as f64);
    let ratios = centres.ratios(&means)?;
    // Both tests in one pass over the blocks: each waits for its own sum only.
    let mut terms = [([0.0; 4], 0.0); N_BENCHMARKS];
    for (term, test) in terms.iter_mut().zip(tests) {
        if test.standard_error != 0.0 {
            let gradient = ratios.gradient(test.benchmark)?;
            *term = (gradient, dot(&gradient, &mean_of_block));
        }
    }
    let mut squares = [0.0; N_BENCHMARKS];
    for sums in chosen {
        for (square, (gradient, centre)) in squares.iter_mut().zip(&terms) {
            *square += (dot(gradient, sums) - centre).powi(2);
        }
    }
    let studentised = tests.iter().zip(squares).map(|(test, squares)| {
        if test.standard_error == 0.0 {
            return Some(None);
        }
        // Variance of the mean of `n_blocks · block` bars from the sums of blocks.
        let error = squares.sqrt() / (n_blocks * block as f64);
        if error <= ROUNDING * test.standard_error {
            return None;
        }
        let deviation = ratios.difference(test.benchmark)? - test.difference;
        finite(deviation / error).map(Some)
    });
    studentised.collect()
}

/// The sums over the block that starts at each bar, wrapping around.
fn sums_of_blocks(bars: &[Sums], block: usize) -> Vec<Sums> {
    let of_block = |start: usize| {
        let mut total = [0.0; 4];
        for idx in start..start + block {
            add(&mut total, &bars[idx % bars.len()]);
        }
        total
    };
    (0..bars.len()).map(of_block).collect()
}

fn mean_of(bars: &[Sums]) -> Sums {
    let mut total = [0.0; 4];
    for bar in bars {
        add(&mut total, bar);
    }
    scaled(&total, 1.0 / bars.len() as f64)
}
