//! Search for the places of a reference at which a part of a query could have been copied from.
//!
//! The largest returns of a block of the query are looked up among the returns of the reference by their size. At each
//! place found, the whole block is compared. This finds copies at any shift in time, and needs no equal times.

use std::collections::BTreeMap;

use super::alignment::Sense;
use super::closes::Closes;

/// Returns of a block.
const BLOCK: usize = 64;
/// The largest returns of a block that are looked up.
const ANCHORS_PER_BLOCK: usize = 3;
/// Places at which the block is compared, for each of them.
const PLACES_PER_ANCHOR: usize = 2_000;
/// Sizes of two returns are compared up to this share …
const SIZE_TOLERANCE: f64 = 0.05;
/// … and this many hundredths of a basis point, the noise of quotes of two vendors.
const QUOTE_NOISE: i64 = 30;
/// Correlation of the returns of a block from which on a place is a candidate. Independent returns have a standard
/// deviation of 0.13.
const LENIENT: f64 = 0.45;

/// A place at which blocks of the query are found in the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Time of the reference minus that of the query, or the difference of positions.
    pub(super) difference: i64,
    pub(super) sense: Sense,
}

/// Places by shift in time and by difference of positions, the most convincing first.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub(super) by_time: Vec<Place>,
    pub(super) by_position: Vec<Place>,
}

/// The returns of a reference, sorted by size.
pub(super) struct Index<'a> {
    closes: &'a Closes,
    /// Absolute returns, ascending, with the position of the bar in which they end.
    sizes: Vec<(i64, u32)>,
    /// The smallest move, which shows how prices are rounded.
    tick: i64,
}

impl<'a> Index<'a> {
    pub(super) fn new(closes: &'a Closes) -> Self {
        let moves = (1..closes.len()).filter_map(|at| {
            let size = return_at(closes, at).abs();
            (size > 0).then_some((size, u32::try_from(at).ok()?))
        });
        let mut sizes: Vec<(i64, u32)> = moves.collect();
        sizes.sort_unstable();
        Self { tick: sizes.first().map_or(0, |(size, _)| *size), closes, sizes }
    }

    /// The places of at most `n_blocks` blocks of the query, spread over those bars that `is_open`.
    pub(super) fn places(&self, query: &Closes, is_open: &[bool], n_blocks: usize) -> Places {
        let blocks = blocks(is_open, n_blocks);
        let tick = (1..query.len()).map(|at| return_at(query, at).abs()).filter(|s| *s > 0).min();
        let noise = QUOTE_NOISE + tick.unwrap_or(0) + self.tick;
        let (mut by_time, mut by_position) = (BTreeMap::new(), BTreeMap::new());
        for first in blocks {
            for (position, sense, votes) in self.compare(query, first, noise) {
                let shift = self.closes.times_ms()[position] - query.times_ms()[first];
                *by_time.entry(Place { difference: shift, sense }).or_insert(0.0) += votes;
                let offset = position as i64 - first as i64;
                *by_position.entry(Place { difference: offset, sense }).or_insert(0.0) += votes;
            }
        }
        Places { by_time: ranked(by_time), by_position: ranked(by_position) }
    }

    /// The positions at which the block that begins at bar `first` of the query could have been copied from, with the
    /// weight of each.
    fn compare(&self, query: &Closes, first: usize, noise: i64) -> Vec<(usize, Sense, f64)> {
        let last = (first + BLOCK).min(query.len() - 1);
        let wanted: Vec<f64> = (first + 1..=last).map(|at| return_at(query, at) as f64).collect();
        let mut anchors: Vec<usize> = (first + 1..=last).collect();
        anchors.sort_by_key(|at| -return_at(query, *at).abs());
        let mut found = BTreeMap::new();
        for anchor in anchors.into_iter().take(ANCHORS_PER_BLOCK) {
            let size = return_at(query, anchor).abs();
            for at in self.of_size(size, noise) {
                let Some(position) = (at as usize).checked_sub(anchor - first) else { continue };
                if position + wanted.len() >= self.closes.len() || found.contains_key(&position) {
                    continue;
                }
                let correlation = self.correlation(&wanted, position);
                found.insert(position, correlation);
            }
        }
        let likely = found.into_iter().filter(|(_, correlation)| correlation.abs() >= LENIENT);
        likely
            .map(|(position, correlation)| {
                let sense = if correlation > 0.0 { Sense::Same } else { Sense::Inverse };
                (position, sense, correlation * correlation)
            })
            .collect()
    }

    /// Positions of the returns of about this size, those nearest in size first.
    fn of_size(&self, size: i64, noise: i64) -> impl Iterator<Item = u32> + '_ {
        #[expect(clippy::cast_possible_truncation, reason = "a return is small")]
        let tolerance = (size as f64 * SIZE_TOLERANCE) as i64 + noise;
        let middle = self.sizes.partition_point(|(other, _)| *other < size);
        let first = self.sizes.partition_point(|(other, _)| *other < size - tolerance);
        let end = self.sizes.partition_point(|(other, _)| *other <= size + tolerance);
        let half = PLACES_PER_ANCHOR / 2;
        let (first, end) = (first.max(middle.saturating_sub(half)), end.min(middle + half));
        self.sizes[first..end.max(first)].iter().map(|(_, at)| *at)
    }

    /// Correlation about zero of wanted returns with those that follow a position.
    fn correlation(&self, wanted: &[f64], position: usize) -> f64 {
        let (mut product, mut own, mut other) = (0.0, 0.0, 0.0);
        for (idx, a) in wanted.iter().enumerate() {
            let b = return_at(self.closes, position + idx + 1) as f64;
            product += a * b;
            own += a * a;
            other += b * b;
        }
        product / (own * other).sqrt().max(f64::MIN_POSITIVE)
    }
}

/// The return in the bar at a position, which must not be 0.
fn return_at(closes: &Closes, at: usize) -> i64 {
    closes.units()[at] - closes.units()[at - 1]
}

/// First bars of at most `n_blocks` blocks that are open throughout.
fn blocks(is_open: &[bool], n_blocks: usize) -> Vec<usize> {
    let mut blocks = Vec::new();
    let mut first = 0;
    while first + 1 < is_open.len() {
        let end = (first + BLOCK + 1).min(is_open.len());
        if let Some(closed) = is_open[first..end].iter().position(|open| !open) {
            first += closed + 1;
            continue;
        }
        if end - first > BLOCK / 2 {
            blocks.push(first);
        }
        first += BLOCK / 2;
    }
    let step = blocks.len().div_ceil(n_blocks).max(1);
    blocks.into_iter().step_by(step).collect()
}

fn ranked(votes: BTreeMap<Place, f64>) -> Vec<Place> {
    let mut places: Vec<(Place, f64)> = votes.into_iter().collect();
    places.sort_by(|a, b| b.1.total_cmp(&a.1));
    places.into_iter().map(|(place, _)| place).collect()
}
