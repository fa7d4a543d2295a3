//! Search for the places of a reference at which a part of a query could have been copied from.
//!
//! Some returns of a block of the query are looked up among the returns of the reference by their size. At each
//! place found, the whole block is compared. This finds copies at any shift in time, and needs no equal times.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use super::alignment::Sense;
use super::block_scan::{AnchorScan, BLOCK, BlockScan, ScaledReturns};
use super::closes::Closes;
use super::shortcuts::Shortcuts;

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

/// A block of consecutive returns of a query.
#[derive(Debug)]
struct Block {
    /// The bars in which the first and the last return end.
    bars: RangeInclusive<usize>,
    anchors: Vec<Anchor>,
    /// Returns are clipped to this size.
    limit: f64,
    scan: BlockScan,
}

/// A return that is looked up.
#[derive(Debug)]
struct Anchor {
    /// The bar in which it ends.
    bar: usize,
    size: i64,
    n_places: usize,
    /// The bars around it, in the block.
    near: RangeInclusive<usize>,
    scan: AnchorScan,
}

/// The blocks of a query that are looked up. They are the same for all references.
#[derive(Debug)]
pub(super) struct Blocks {
    blocks: Vec<Block>,
    /// The smallest move, which shows how prices are rounded.
    tick: i64,
}

impl Blocks {
    /// At most `n_blocks` blocks, spread over those bars that `is_open`.
    pub(super) fn new(query: &Closes, is_open: &[bool], n_blocks: usize) -> Self {
        let first_bars = first_bars(is_open, n_blocks);
        let tick = (1..query.len()).map(|at| return_at(query, at).abs()).filter(|s| *s > 0).min();
        let blocks = first_bars.into_iter().map(|first| Block::new(query, first)).collect();
        Self { blocks, tick: tick.unwrap_or(0) }
    }
}

impl Block {
    fn new(query: &Closes, first: usize) -> Self {
        let last = (first + BLOCK).min(query.len() - 1);
        let returns: Vec<i64> = (first + 1..=last).map(|at| return_at(query, at)).collect();
        let mut ranked: Vec<usize> = (0..returns.len()).collect();
        ranked.sort_by_key(|idx| -returns[*idx].abs());
        let limit = (CLIP * returns[ranked[ranked.len() / 2]].abs() as f64).max(1.0);
        #[expect(clippy::cast_possible_truncation, reason = "a whole number")]
        let scan = BlockScan::new(&returns, limit as i64, (LENIENT, LENIENT_NEAR));
        let anchor = |(rank, n_places): (usize, usize)| {
            let idx = *ranked.get(rank)?;
            let near = idx.saturating_sub(NEAR)..=(idx + NEAR).min(returns.len() - 1);
            Some(Anchor {
                bar: first + 1 + idx,
                size: returns[idx].abs(),
                n_places,
                near: first + 1 + near.start()..=first + 1 + near.end(),
                scan: scan.anchor(&returns, idx, near),
            })
        };
        let anchors = ANCHORS.into_iter().filter_map(anchor).collect();
        Self { bars: first + 1..=last, anchors, limit, scan }
    }
}

/// The returns of a reference, sorted by size.
pub(super) struct Index<'a> {
    closes: &'a Closes,
    /// Absolute returns, ascending, with the position of the bar in which they end.
    sizes: Vec<(u32, u32)>,
    /// Where the return of each bar is in `sizes`; beyond its end for a return of 0.
    ranks: Vec<usize>,
    scaled: ScaledReturns,
    /// The smallest move, which shows how prices are rounded.
    tick: i64,
    shortcuts: Shortcuts,
}

impl<'a> Index<'a> {
    pub(super) fn new(closes: &'a Closes, shortcuts: Shortcuts) -> Self {
        let moves = (1..closes.len()).filter_map(|at| {
            let size = size_of(return_at(closes, at));
            (size > 0).then_some((size, u32::try_from(at).ok()?))
        });
        let mut sizes: Vec<(u32, u32)> = moves.collect();
        // One number sorts faster than a pair.
        sizes.sort_unstable_by_key(|(size, at)| u64::from(*size) << 32 | u64::from(*at));
        let mut ranks = vec![usize::MAX; closes.len()];
        for (rank, (_, at)) in sizes.iter().enumerate() {
            ranks[*at as usize] = rank;
        }
        let tick = sizes.first().map_or(0, |(size, _)| i64::from(*size));
        Self { closes, sizes, ranks, scaled: ScaledReturns::default(), tick, shortcuts }
    }

    /// The places of the blocks of the query.
    pub(super) fn places(&mut self, query: &Closes, blocks: &Blocks) -> Places {
        let noise = QUOTE_NOISE + blocks.tick + self.tick;
        let (mut by_time, mut by_position) = (BTreeMap::new(), BTreeMap::new());
        for block in &blocks.blocks {
            for (bar, position, correlation) in self.compare(query, block, noise) {
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

    /// The places from which a block of the query could have been copied: the bar of the query and that of the reference, and
    /// the correlation there.
    fn compare(&mut self, query: &Closes, block: &Block, noise: i64) -> Vec<(usize, usize, f64)> {
        let (mut found, mut kept) = (Vec::new(), Vec::new());
        let mut looked_up: Vec<(usize, Range<usize>)> = Vec::new();
        for anchor in &block.anchors {
            let range = self.of_size(anchor.size, noise, anchor.n_places);
            kept.clear();
            let places = &self.sizes[range.clone()];
            match self.shortcuts {
                Shortcuts::Taken => {
                    let reference = (self.closes.units(), &mut self.scaled);
                    block.scan.scan(&anchor.scan, places, reference, &mut kept);
                }
                #[cfg(test)]
                Shortcuts::NotTaken => kept.extend(places.iter().map(|(_, at)| *at)),
            }
            for at in &kept {
                let at = *at as usize;
                // Another anchor of the block has already led to this place.
                let is_known = |(bar, places): &(usize, Range<usize>)| {
                    let other = (bar + at).checked_sub(anchor.bar);
                    let rank = other.and_then(|position| self.ranks.get(position));
                    rank.is_some_and(|rank| places.contains(rank))
                };
                if looked_up.iter().any(is_known) {
                    continue;
                }
                let correlation =
                    |bars| self.correlation(query, bars, (anchor.bar, at), block.limit);
                let (whole, around) =
                    (correlation(block.bars.clone()), correlation(anchor.near.clone()));
                if whole.abs() >= LENIENT {
                    found.push((anchor.bar, at, whole));
                } else if around.abs() >= LENIENT_NEAR {
                    found.push((anchor.bar, at, around));
                }
            }
            looked_up.push((anchor.bar, range));
        }
        found
    }

    /// Ranks of the returns of about this size, those nearest in size first.
    fn of_size(&self, size: i64, noise: i64, n_places: usize) -> Range<usize> {
        #[expect(clippy::cast_possible_truncation, reason = "a return is small")]
        let tolerance = (size as f64 * SIZE_TOLERANCE) as i64 + noise;
        let below = |limit: i64| self.sizes.partition_point(|(other, _)| i64::from(*other) < limit);
        let middle = below(size);
        let (first, end) = (below(size - tolerance), below(size + tolerance + 1));
        let half = n_places / 2;
        let (first, end) = (first.max(middle.saturating_sub(half)), end.min(middle + half));
        first..end.max(first)
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

/// The size of a return. No return of finite prices reaches the limit of 32 bits.
fn size_of(moved: i64) -> u32 {
    u32::try_from(moved.unsigned_abs()).unwrap_or(u32::MAX)
}

/// First bars of at most `n_blocks` blocks that are open throughout.
fn first_bars(is_open: &[bool], n_blocks: usize) -> Vec<usize> {
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
