//! Finds the parts of a series that show the same price moves as a part of another.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::alignment::{Sense, by_position, by_time, prices};
use super::candidates::{Blocks, Index, Place, Places};
use super::closes::Closes;
use super::common_grid::{Way, common};
use super::shortcuts::Shortcuts;

/// At most this many blocks of a query are looked up in a reference in one round, over all ways to merge bars.
const BLOCKS_PER_ROUND: usize = 512;
/// Shifts, and differences of positions, that are tried in one round.
const TRIED_PER_ROUND: usize = 16;
/// Rounds of the search. Each looks up the bars that no earlier one recognised.
const N_ROUNDS: usize = 3;
/// Where the bars of one series are merged, no other way is tried once this share of the shorter series was recognised.
const ENOUGH: f64 = 0.8;

/// Bars of a query whose moves are those of bars of a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Likeness {
    /// Length of the bars on which the two were compared, in milliseconds: that of the series with the longer bars.
    pub bar_ms: i64,
    /// Time of the reference minus that of the query in milliseconds; `None` if it is not the same for all bars.
    pub shift_ms: Option<i64>,
    /// Whether the prices of one are the inverse of those of the other.
    pub is_inverse: bool,
    /// Open times of corresponding bars of the length `bar_ms`, of the query and of the reference, both ascending.
    pub pairs: Vec<(i64, i64)>,
}

/// Finds the bars of `query` that show the same moves as bars of `reference`: also if its prices are multiplied by a
/// constant, rounded, inverted or slightly different, if its bars are shorter or longer, if single bars are missing, and
/// if all times are shifted by any constant or the bars were given other times.
///
/// A part of fewer than 33 bars cannot be recognised. Two instruments whose returns have a correlation above 0.995, such as
/// funds on one index, count as the same.
pub fn recognise(query: &Closes, reference: &Closes) -> Vec<Likeness> {
    Recogniser::new(query.clone()).find_in(reference)
}

/// Finds the bars of one series in many others, as [`recognise`] does in one. The work on the query is done once.
#[derive(Debug)]
pub struct Recogniser {
    query: Closes,
    /// The query as it is compared, by length and origin of the bars and number of blocks.
    prepared: BTreeMap<(i64, i64, usize), Rc<Query>>,
    shortcuts: Shortcuts,
}

/// A query on bars of one length.
#[derive(Debug)]
struct Query {
    closes: Closes,
    /// The blocks that are looked up while no bar is recognised yet.
    blocks: Blocks,
    n_blocks: usize,
}

impl Query {
    fn new(closes: Closes, n_blocks: usize) -> Self {
        let blocks = Blocks::new(&closes, &vec![true; closes.len()], n_blocks);
        Self { closes, blocks, n_blocks }
    }
}

impl Recogniser {
    /// Prepares the search for bars of `query`.
    pub fn new(query: Closes) -> Self {
        Self { query, prepared: BTreeMap::new(), shortcuts: Shortcuts::Taken }
    }

    #[cfg(test)]
    fn without_shortcuts(query: Closes) -> Self {
        Self { shortcuts: Shortcuts::NotTaken, ..Self::new(query) }
    }

    /// Finds the bars of the query that show the same moves as bars of `reference`; see [`recognise`].
    pub fn find_in(&mut self, reference: &Closes) -> Vec<Likeness> {
        let ways = common(&self.query, reference);
        let n_blocks = (BLOCKS_PER_ROUND / ways.len().max(1)).max(8);
        let mut best = (0, Vec::new());
        for way in ways {
            let query = self.prepared(&way, n_blocks);
            let reference = way.of_reference(reference);
            let found = Search::new(&query, &reference, self.shortcuts).run();
            let n_found = found.iter().map(|it| it.pairs.len()).sum();
            if n_found > best.0 {
                best = (n_found, found);
            }
            if n_found as f64 >= ENOUGH * query.closes.len().min(reference.len()) as f64 {
                break;
            }
        }
        best.1
    }

    fn prepared(&mut self, way: &Way, n_blocks: usize) -> Rc<Query> {
        let key = (way.bar_ms, way.origin_of_query, n_blocks);
        let query = &self.query;
        let prepare = || Rc::new(Query::new(way.of_query(query).into_owned(), n_blocks));
        Rc::clone(self.prepared.entry(key).or_insert_with(prepare))
    }
}

/// The search in two series of equal bars.
struct Search<'a> {
    query: &'a Query,
    reference: &'a Closes,
    /// The bars of the query that are not recognised yet.
    is_open: Vec<bool>,
    tried: BTreeSet<(Axis, Place)>,
    found: Vec<Likeness>,
    shortcuts: Shortcuts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Axis {
    Time,
    Position,
}

impl<'a> Search<'a> {
    fn new(query: &'a Query, reference: &'a Closes, shortcuts: Shortcuts) -> Self {
        let (is_open, tried) = (vec![true; query.closes.len()], BTreeSet::new());
        Self { query, reference, is_open, tried, found: Vec::new(), shortcuts }
    }

    fn run(mut self) -> Vec<Likeness> {
        for sense in [Sense::Same, Sense::Inverse] {
            self.attempt(Axis::Time, Place { difference: 0, sense });
        }
        if !self.is_open.contains(&true) {
            return self.found;
        }
        let mut index = Index::new(self.reference, self.shortcuts);
        for _ in 0..N_ROUNDS {
            let before = self.found.len();
            let places = self.places(&mut index);
            for place in places.by_time.into_iter().take(TRIED_PER_ROUND) {
                self.attempt(Axis::Time, place);
            }
            for place in places.by_position.into_iter().take(TRIED_PER_ROUND) {
                self.attempt(Axis::Position, place);
            }
            if self.found.len() == before || !self.is_open.contains(&true) {
                break;
            }
        }
        self.found
    }

    fn places(&self, index: &mut Index<'_>) -> Places {
        let Query { closes, blocks, n_blocks } = self.query;
        if self.is_open.contains(&false) {
            index.places(closes, &Blocks::new(closes, &self.is_open, *n_blocks))
        } else {
            index.places(closes, blocks)
        }
    }

    /// Compares the two series at one place, and keeps the bars that agree and were not recognised before.
    fn attempt(&mut self, axis: Axis, place: Place) {
        if !self.tried.insert((axis, place)) {
            return;
        }
        let query = &self.query.closes;
        let pairs = match axis {
            Axis::Time => by_time(query, self.reference, place.difference),
            Axis::Position => by_position(query, self.reference, place.difference),
        };
        // The same pairs by position would agree no better than by time.
        if axis == Axis::Time
            && let Some(difference) = pairs.offset()
            && !self.tried.insert((Axis::Position, Place { difference, ..place }))
        {
            return;
        }
        let paired = prices(query, self.reference, &pairs, place.sense);
        let agreeing = paired.agreeing(self.shortcuts);
        let pairs: Vec<(usize, usize)> = (0..agreeing.len())
            .filter(|idx| agreeing[*idx])
            .map(|idx| pairs.at(idx))
            .filter(|(idx, _)| self.is_open[*idx])
            .collect();
        if pairs.is_empty() {
            return;
        }
        for (idx, _) in &pairs {
            self.is_open[*idx] = false;
        }
        let (own, other) = (query.times_ms(), self.reference.times_ms());
        self.found.push(Likeness {
            bar_ms: query.bar_ms(),
            shift_ms: (axis == Axis::Time).then_some(place.difference),
            is_inverse: place.sense == Sense::Inverse,
            pairs: pairs.iter().map(|(a, b)| (own[*a], other[*b])).collect(),
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::bars::Bar;
    use crate::read::read_bars;
    use crate::recognition::same_time::{SameTime, compare_at_same_time};
    use crate::samples::Sample;
    use herdbook_domain::Timeframe;

    const HOUR_MS: i64 = 3_600_000;
    const DAY_MS: i64 = 24 * HOUR_MS;

    /// The bars of a sample and their length.
    fn bars(timeframe: Timeframe) -> (Vec<Bar>, i64) {
        let sample = Sample::for_timeframe(timeframe);
        let raw = read_bars(&sample.csv().unwrap(), sample.file_name).unwrap();
        (raw.as_slice().to_vec(), raw.bar_length_ms())
    }

    /// 1,500 hours of EURUSD.
    fn euro() -> Vec<Bar> {
        bars(Timeframe::Hour1).0[1_000..2_500].to_vec()
    }

    fn hourly(bars: &[Bar]) -> Closes {
        Closes::of(bars, HOUR_MS)
    }

    fn changed(bars: &[Bar], change: impl Fn(usize, Bar) -> Bar) -> Vec<Bar> {
        bars.iter().enumerate().map(|(idx, bar)| change(idx, *bar)).collect()
    }

    fn with_close(bar: Bar, close: f64) -> Bar {
        Bar { close, ..bar }
    }

    fn shifted(bars: &[Bar], shift_ms: i64) -> Vec<Bar> {
        changed(bars, |_, bar| Bar { open_time_ms: bar.open_time_ms + shift_ms, ..bar })
    }

    /// A number from -1 to 1 that depends on the index only.
    fn noise(idx: usize) -> f64 {
        let mixed = (idx as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed >> 11) as f64 / (1_u64 << 53) as f64).mul_add(2.0, -1.0)
    }

    /// Number of bars found, and the shifts at which.
    fn found(query: &Closes, reference: &Closes) -> (usize, Vec<Option<i64>>) {
        let found = recognise(query, reference);
        (found.iter().map(|it| it.pairs.len()).sum(), found.iter().map(|it| it.shift_ms).collect())
    }

    #[test]
    fn bars_are_recognised_at_any_shift_and_scale() {
        let reference = euro();
        for shift_ms in [0, DAY_MS, 364 * DAY_MS, -90 * 60_000, 9 * 365 * DAY_MS + 12_345] {
            let query =
                changed(&shifted(&reference, shift_ms), |_, bar| with_close(bar, bar.close * 42.0));
            let (n, shifts) = found(&hourly(&query), &hourly(&reference));
            assert_eq!((n, shifts), (1_500, vec![Some(-shift_ms)]), "{shift_ms}");
        }
    }

    #[test]
    fn near_copies_are_recognised() {
        let reference = euro();
        let elsewhere = shifted(&reference, 30 * DAY_MS);
        let rounded =
            changed(&elsewhere, |_, bar| with_close(bar, (bar.close * 1e3).round() / 1e3));
        let quoted =
            changed(&elsewhere, |idx, bar| with_close(bar, bar.close * (1.0 + 2e-5 * noise(idx))));
        let inverse = changed(&elsewhere, |_, bar| with_close(bar, 1.0 / bar.close));
        for (name, query) in
            [("rounded", rounded), ("another vendor", quoted), ("inverse", inverse)]
        {
            assert_eq!(found(&hourly(&query), &hourly(&reference)).0, 1_500, "{name}");
        }
        let altered = changed(&elsewhere, |idx, bar| {
            with_close(bar, bar.close * if idx % 20 == 7 { 1.0 + 1e-2 * noise(idx) } else { 1.0 })
        });
        let n = found(&hourly(&altered), &hourly(&reference)).0;
        assert!(n >= 1_450, "single altered prices: {n}");
        let gappy: Vec<Bar> = elsewhere
            .iter()
            .enumerate()
            .filter(|(idx, _)| idx % 23 != 7)
            .map(|(_, bar)| *bar)
            .collect();
        assert_eq!(found(&hourly(&gappy), &hourly(&reference)).0, gappy.len(), "missing bars");
        let kept: Vec<Bar> = reference
            .iter()
            .enumerate()
            .filter(|(idx, _)| idx % 23 != 7)
            .map(|(_, bar)| *bar)
            .collect();
        // The added bars themselves have no counterpart.
        assert_eq!(found(&hourly(&elsewhere), &hourly(&kept)).0, kept.len(), "added bars");
    }

    #[test]
    fn bars_with_other_times_are_recognised() {
        let reference = euro();
        let first = reference[0].open_time_ms;
        let query = changed(&reference, |idx, bar| Bar {
            open_time_ms: first + 7 * DAY_MS + HOUR_MS * idx as i64,
            ..bar
        });
        assert_eq!(found(&hourly(&query), &hourly(&reference)).0, 1_500);
    }

    #[test]
    fn shortest_test_window_is_recognised() {
        let reference = euro();
        let query = shifted(&reference[700..751], 5 * DAY_MS);
        assert_eq!(found(&hourly(&query), &hourly(&reference)), (51, vec![Some(-5 * DAY_MS)]));
    }

    #[test]
    fn pairs_tell_which_bars_correspond() {
        let reference = euro();
        let query = shifted(&reference[100..400], DAY_MS);
        let found = recognise(&hourly(&query), &hourly(&reference));
        let expected =
            reference[100..400].iter().map(|bar| (bar.open_time_ms + DAY_MS, bar.open_time_ms));
        assert_eq!(found[0].pairs, expected.collect::<Vec<_>>());
        assert_eq!((found[0].bar_ms, found[0].is_inverse), (HOUR_MS, false));
    }

    #[test]
    fn bars_of_another_timeframe_are_recognised() {
        let reference = euro();
        let query = shifted(&reference, 2 * DAY_MS + HOUR_MS);
        let four_hours: Vec<Bar> = {
            let mut merged: Vec<Bar> = Vec::new();
            for bar in query {
                let open_time_ms = bar.open_time_ms.div_euclid(4 * HOUR_MS) * 4 * HOUR_MS;
                match merged.last_mut() {
                    Some(last) if last.open_time_ms == open_time_ms => last.close = bar.close,
                    _ => merged.push(Bar { open_time_ms, ..bar }),
                }
            }
            merged
        };
        let merged = Closes::of(&four_hours, 4 * HOUR_MS);
        for (query, reference) in [(&merged, &hourly(&reference)), (&hourly(&reference), &merged)] {
            let found = recognise(query, reference);
            let n: usize = found.iter().map(|it| it.pairs.len()).sum();
            assert!(n * 10 > four_hours.len() * 9, "{n} of {}", four_hours.len());
            assert!(found.iter().all(|it| it.bar_ms == 4 * HOUR_MS));
        }
    }

    #[test]
    fn other_instruments_and_other_times_are_not_recognised() {
        let samples = [Timeframe::Hour1, Timeframe::Day1, Timeframe::Minute1].map(|timeframe| {
            let (mut bars, length_ms) = bars(timeframe);
            bars.truncate(20_000);
            Closes::of(&bars, length_ms)
        });
        for (idx, query) in samples.iter().enumerate() {
            for reference in samples.iter().skip(idx + 1) {
                assert_eq!(recognise(query, reference), []);
                assert_eq!(recognise(reference, query), []);
            }
            let times = query.times_ms();
            let (start, middle, end) = (times[0], times[times.len() / 2], i64::MAX);
            assert_eq!(recognise(&query.between(middle, end), &query.between(start, middle)), []);
        }
    }

    #[test]
    fn related_instrument_is_neither_recognised_nor_taken_for_the_same() {
        let reference = euro();
        for (correlation, contradicts) in [(0.6, true), (0.8, true), (0.97, false)] {
            let mut log = 0.0;
            let other: Vec<Bar> = reference
                .iter()
                .enumerate()
                .map(|(idx, bar)| {
                    let last = reference[idx.saturating_sub(1)].close;
                    let own = f64::sqrt(1.0 - correlation * correlation);
                    // Hourly returns of EURUSD have a standard deviation of 10 basis points.
                    log += correlation * (bar.close / last).ln() + own * 1.7e-3 * noise(idx);
                    with_close(*bar, 100.0 * f64::exp(log))
                })
                .collect();
            let (query, reference) = (hourly(&other), hourly(&reference));
            assert_eq!(recognise(&query, &reference), [], "{correlation}");
            let judged = compare_at_same_time(&query, &reference);
            assert_eq!(
                matches!(judged, SameTime::Contradict { .. }),
                contradicts,
                "{correlation}: {judged:?}"
            );
        }
    }

    #[test]
    fn same_times_agree_also_for_another_vendor_and_contradict_for_another_instrument() {
        let reference = euro();
        let quoted =
            changed(&reference, |idx, bar| with_close(bar, bar.close * (1.0 + 2e-5 * noise(idx))));
        assert_eq!(compare_at_same_time(&hourly(&quoted), &hourly(&reference)), SameTime::Agree);
        let other = shifted(&euro(), 7 * DAY_MS);
        let judged = compare_at_same_time(&hourly(&other), &hourly(&reference));
        assert!(matches!(judged, SameTime::Contradict { .. }), "{judged:?}");
        let later = shifted(&reference, 3_000 * DAY_MS);
        assert_eq!(compare_at_same_time(&hourly(&later), &hourly(&reference)), SameTime::Unknown);
    }

    #[test]
    fn prices_that_do_not_move_say_nothing() {
        let constant = changed(&euro(), |_, bar| with_close(bar, 1.0));
        assert_eq!(recognise(&hourly(&constant), &hourly(&constant)), []);
        assert_eq!(recognise(&hourly(&constant), &hourly(&euro())), []);
        assert_eq!(recognise(&hourly(&[]), &hourly(&euro())), []);
        assert_eq!(recognise(&hourly(&euro()), &hourly(&[])), []);
        assert_eq!(compare_at_same_time(&hourly(&constant), &hourly(&euro())), SameTime::Unknown);
    }

    /// Checks that quick tests and prepared queries change no result, and gives the number of bars found.
    fn compare_both(recogniser: &mut Recogniser, reference: &Closes) -> usize {
        let found = recogniser.find_in(reference);
        let slow = Recogniser::without_shortcuts(recogniser.query.clone()).find_in(reference);
        assert_eq!(found, slow);
        found.iter().map(|it| it.pairs.len()).sum()
    }

    /// Bars merged into ones of another length.
    fn merged(bars: &[Bar], bar_ms: i64) -> Vec<Bar> {
        let mut merged: Vec<Bar> = Vec::new();
        for bar in bars {
            let open_time_ms = bar.open_time_ms.div_euclid(bar_ms) * bar_ms;
            match merged.last_mut() {
                Some(last) if last.open_time_ms == open_time_ms => last.close = bar.close,
                _ => merged.push(Bar { open_time_ms, ..*bar }),
            }
        }
        merged
    }

    /// Bars as a copy of them could look: from the disguises that a number selects.
    fn disguised(bars: &[Bar], seed: u64) -> Vec<Bar> {
        let is = |bit: u32| seed >> bit & 1 == 1;
        let days = [0, 1, 364, -1, 3_000][seed as usize % 5];
        let salt = seed as usize * 7_919;
        let mut disguised = Vec::new();
        for (idx, bar) in bars.iter().enumerate() {
            let mut close = bar.close;
            if is(0) {
                close *= 42.0;
            }
            if is(1) {
                close = 1.0 / close;
            }
            if is(2) {
                close *= 1.0 + [2e-6, 2e-5, 1e-4, 1e-3][seed as usize / 8 % 4] * noise(idx + salt);
            }
            if is(3) {
                let unit = 10_f64.powf(close.log10().floor() - 3.0 - (seed % 2) as f64);
                close = (close / unit).round() * unit;
            }
            if is(4) && idx % 40 == 11 {
                close *= 1.0 + 0.01 * noise(idx + salt);
            }
            if is(5) && idx % 31 == 3 {
                continue;
            }
            let wobble = if is(6) && idx > 200 { DAY_MS } else { 0 };
            disguised.push(Bar {
                open_time_ms: bar.open_time_ms + days * DAY_MS + wobble,
                close,
                ..*bar
            });
        }
        disguised
    }

    #[test]
    fn prop_shortcuts_change_no_result_on_real_bars() {
        let mut n_recognised = 0;
        for timeframe in [Timeframe::Hour1, Timeframe::Day1, Timeframe::Minute1] {
            let (all, bar_ms) = bars(timeframe);
            let reference = Closes::of(&all[..1_600], bar_ms);
            for seed in 0..40_usize {
                let first = seed * 397 % 2_000;
                let part = &all[first..first + [51, 120, 400, 900][seed % 4]];
                let query = Closes::of(&disguised(part, seed as u64 * 29), bar_ms);
                n_recognised +=
                    usize::from(compare_both(&mut Recogniser::new(query), &reference) > 0);
            }
        }
        assert!(n_recognised > 40, "{n_recognised}");
    }

    #[test]
    fn prop_shortcuts_change_no_result_across_timeframes() {
        let all = &bars(Timeframe::Hour1).0[..2_000];
        let lengths = [HOUR_MS, 4 * HOUR_MS, DAY_MS];
        let mut n_recognised = 0;
        for seed in 0..3 {
            for own_ms in lengths {
                let query = merged(&disguised(&all[200..1_700], 11 * seed), own_ms);
                // One prepared query serves for references of all lengths.
                let mut recogniser = Recogniser::new(Closes::of(&query, own_ms));
                for other_ms in lengths {
                    let reference = Closes::of(&merged(all, other_ms), other_ms);
                    n_recognised += usize::from(compare_both(&mut recogniser, &reference) > 0);
                }
            }
        }
        assert!(n_recognised >= 12, "{n_recognised}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

        #[test]
        fn prop_shortcuts_change_no_result_on_random_bars(
            seed in any::<u64>(),
            // Of a return, in the natural logarithm: from quiet minutes to wild days and absurd prices.
            size in -14.0_f64..0.0,
            disguise in any::<u64>(),
            first in 0_usize..600,
            n in 33_usize..600,
        ) {
            let (mut log, mut usual) = (0.0, 1.0);
            let bars: Vec<Bar> = (0..1_200_usize)
                .map(|idx| {
                    let at = idx + (seed % 1_000_000_007) as usize;
                    // Volatility changes slowly; some returns are large.
                    usual = f64::clamp(usual * (1.0 + 0.2 * noise(at + 1_000_003)), 0.05, 20.0);
                    let jump = if noise(at + 2_000_029) > 0.97 { 6.0 } else { 1.0 };
                    log += size.exp() * usual * jump * noise(at);
                    let close = f64::exp(log.clamp(-600.0, 600.0));
                    let open_time_ms = idx as i64 * HOUR_MS;
                    Bar { open_time_ms, open: close, high: close, low: close, close, volume: 0.0 }
                })
                .collect();
            let query = hourly(&disguised(&bars[first..first + n], disguise % 128));
            compare_both(&mut Recogniser::new(query), &hourly(&bars));
            let other = hourly(&disguised(&bars[..600], disguise >> 7 & 127));
            compare_both(&mut Recogniser::new(other), &hourly(&bars[500..]));
        }
    }
}
