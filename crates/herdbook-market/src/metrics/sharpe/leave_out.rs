//! Results that rest on one bar or one trade: the comparison is repeated without it.

use std::ops::Range;

use super::comparison::SharpeComparison;
use super::moments::{Benchmark, Centres, Sums, add, dot, scaled};

/// The comparison without the group of bars that the result rests on most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeaveOut {
    /// Index of the group.
    pub group: usize,
    /// [`SharpeComparison::probability`] without its bars; `None` where it is undefined then.
    pub probability: Option<f64>,
}

impl LeaveOut {
    /// Leaves out the most decisive one of `groups` (see [`most_decisive`]) and compares again. `None` without a group.
    pub fn of(model: &[f64], holding: &[f64], groups: &[Range<usize>]) -> Option<Self> {
        let group = most_decisive(model, holding, groups)?;
        let left_out = &groups[group];
        let without = |returns: &[f64]| {
            let rest = returns.iter().enumerate().filter(|(idx, _)| !left_out.contains(idx));
            rest.map(|(_, value)| *value).collect::<Vec<f64>>()
        };
        let comparison = SharpeComparison::of(&without(model), &without(holding));
        Some(Self { group, probability: comparison.map(|found| found.probability()) })
    }
}

/// The group of bars without which the model's lead over the better of doing nothing and holding is smallest, measured in
/// standard errors for independent bars. A group without which the ratio is undefined comes first. Bars of both sides are
/// left out. `None` without a group, or where returns are not finite.
pub fn most_decisive(model: &[f64], holding: &[f64], groups: &[Range<usize>]) -> Option<usize> {
    let centres = Centres::of(model, holding)?;
    let bars: Vec<Sums> =
        model.iter().zip(holding).map(|(m, h)| centres.sums_of_bar(*m, *h)).collect();
    let all = Totals::of(&bars);
    let lead = |group: &Range<usize>| {
        all.without(&Totals::of(&bars[group.clone()])).lead(centres).unwrap_or(f64::NEG_INFINITY)
    };
    let leads = groups.iter().map(lead).enumerate();
    leads.min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(idx, _)| idx)
}

/// Sums of bars, and of the products of their sums.
#[derive(Clone)]
struct Totals {
    n_bars: f64,
    sums: Sums,
    products: [Sums; 4],
}

impl Totals {
    fn of(bars: &[Sums]) -> Self {
        let mut totals =
            Self { n_bars: bars.len() as f64, sums: [0.0; 4], products: [[0.0; 4]; 4] };
        for bar in bars {
            add(&mut totals.sums, bar);
            for (row, factor) in totals.products.iter_mut().zip(bar) {
                add(row, &scaled(bar, *factor));
            }
        }
        totals
    }

    fn without(&self, less: &Self) -> Self {
        let mut rest = self.clone();
        rest.n_bars -= less.n_bars;
        add(&mut rest.sums, &scaled(&less.sums, -1.0));
        for (row, less) in rest.products.iter_mut().zip(&less.products) {
            add(row, &scaled(less, -1.0));
        }
        rest
    }

    /// The smaller of the two differences in standard errors.
    fn lead(&self, centres: Centres) -> Option<f64> {
        let means = scaled(&self.sums, 1.0 / self.n_bars);
        let ratios = centres.ratios(&means)?;
        let studentised = |benchmark| {
            let gradient = ratios.gradient(benchmark)?;
            let squares: f64 = self
                .products
                .iter()
                .zip(gradient)
                .map(|(row, factor)| factor * dot(row, &gradient))
                .sum();
            let variance = squares / self.n_bars - dot(&gradient, &means).powi(2);
            let lead = ratios.difference(benchmark)? / (variance / self.n_bars).sqrt();
            lead.is_finite().then_some(lead)
        };
        let flat = studentised(Benchmark::Flat)?;
        Some(studentised(Benchmark::Holding).map_or(flat, |holding| flat.min(holding)))
    }
}
