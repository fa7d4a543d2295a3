//! Search for the places of a reference at which a part of a query could have been copied from.
//!
//! Some returns of a block of the query are looked up among the returns of the reference by their size. At each
//! place found, the whole block is compared. This finds copies at any shift in time, and needs no equal times.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use super::alignment::Sense;
use super::closes::Closes;

/// Returns of a block.
const BLOCK: usize = 64;
/// The returns of a block that are looked up, by rank of size. Large ones are rare, so they have few places; smaller ones
/// help where the largest are single altered prices. The second number limits the places at which the block is compared.
const ANCHORS: [(usize, usize); 5] = [(0, 2_000), (1, 2_000), (2, 2_000), (16, 300), (20, 300)];
/// Returns of a block are compared up to this many times their median size.
const CLIP: f64 = 4.0;
/// Sizes of two returns are compared up to this share …
const SIZE_TOLERANCE: f64 = 0.05;
/// … and this many hundredths of a basis point, the noise of quotes of two vendors.
const QUOTE_NOISE: i64 = 30;
/// Correlation of the returns of a block from which on a place is a candidate. Independent returns have a standard
/// deviation of 0.13.
const LENIENT: f64 = 0.45;

/// Returns before and after an anchor that are compared too, for bars some of which are missing …
const NEAR: usize = 10;
/// … with this correlation. Independent returns have a standard deviation of 0.22.
const LENIENT_NEAR: f64 = 0.8;
/// The sum of squared correlations of all blocks from which on a place is tried. One block at a wrong place has about 0.2.
const MIN_VOTES: f64 = 0.7;

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
            for (bar, position, correlation) in self.compare(query, first, noise) {
                let sense = if correlation > 0.0 { Sense::Same } else { Sense::Inverse };
                let votes = correlation * correlation;
                let shift = self.closes.times_ms()[position] - query.times_ms()[bar];
                *by_time.entry(Place { difference: shift, sense }).or_insert(0.0) += votes;
                let offset = position as i64 - bar as i64;
                *by_position.entry(Place { difference: offset, sense }).or_insert(0.0) += votes;
            }
        }
        Places { by_time: ranked(by_time), by_position: ranked(by_position) }
    }

    /// The places from which the block that begins at bar `first` of the query could have been copied: the bar of the query
    /// and that of the reference, and the correlation there.
    fn compare(&self, query: &Closes, first: usize, noise: i64) -> Vec<(usize, usize, f64)> {
        let last = (first + BLOCK).min(query.len() - 1);
        let mut anchors: Vec<usize> = (first + 1..=last).collect();
        anchors.sort_by_key(|at| -return_at(query, *at).abs());
        let limit = (CLIP * return_at(query, anchors[anchors.len() / 2]).abs() as f64).max(1.0);
        let (mut found, mut compared) = (Vec::new(), BTreeSet::new());
        for (rank, n_places) in ANCHORS {
            let Some(anchor) = anchors.get(rank).copied() else { continue };
            let near = anchor.saturating_sub(NEAR).max(first + 1)..=(anchor + NEAR).min(last);
            for at in self.of_size(return_at(query, anchor).abs(), noise, n_places) {
                let at = at as usize;
                if !compared.insert(at as i64 - anchor as i64) {
                    continue;
                }
                let correlation = |bars| self.correlation(query, bars, (anchor, at), limit);
                let (whole, around) = (correlation(first + 1..=last), correlation(near.clone()));
                if whole.abs() >= LENIENT {
                    found.push((anchor, at, whole));
                } else if around.abs() >= LENIENT_NEAR {
                    found.push((anchor, at, around));
                }
            }
        }
        found
    }

    /// Positions of the returns of about this size, those nearest in size first.
    fn of_size(&self, size: i64, noise: i64, n_places: usize) -> impl Iterator<Item = u32> + '_ {
        #[expect(clippy::cast_possible_truncation, reason = "a return is small")]
        let tolerance = (size as f64 * SIZE_TOLERANCE) as i64 + noise;
        let middle = self.sizes.partition_point(|(other, _)| *other < size);
        let first = self.sizes.partition_point(|(other, _)| *other < size - tolerance);
        let end = self.sizes.partition_point(|(other, _)| *other <= size + tolerance);
        let half = n_places / 2;
        let (first, end) = (first.max(middle.saturating_sub(half)), end.min(middle + half));
        self.sizes[first..end.max(first)].iter().map(|(_, at)| *at)
    }

    /// Correlation about zero of the returns of some bars of the query with those of the reference, where bar `at.0` of the
    /// query corresponds to bar `at.1` of the reference. Each return is clipped to a limit.
    fn correlation(
        &self,
        query: &Closes,
        bars: RangeInclusive<usize>,
        at: (usize, usize),
        limit: f64,
    ) -> f64 {
        let (mut product, mut own, mut other) = (0.0, 0.0, 0.0);
        for idx in bars {
            let Some(position) = (idx + at.1).checked_sub(at.0) else { continue };
            if position == 0 || position >= self.closes.len() {
                continue;
            }
            let a = (return_at(query, idx) as f64).clamp(-limit, limit);
            let b = (return_at(self.closes, position) as f64).clamp(-limit, limit);
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
    let mut places: Vec<(Place, f64)> =
        votes.into_iter().filter(|(_, votes)| *votes >= MIN_VOTES).collect();
    places.sort_by(|a, b| b.1.total_cmp(&a.1));
    places.into_iter().map(|(place, _)| place).collect()
}
