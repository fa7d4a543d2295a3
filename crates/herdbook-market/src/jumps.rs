//! Jumps of the price from one bar to the next that look like a split of shares without adjustment.
//!
//! # Rule
//! A split multiplies all prices by a simple ratio from one moment on, usually between the close of one bar and the open of
//! the next, and changes nothing else. So a jump is reported if all of this holds:
//! - The price changes by a ratio of [`RATIOS`] or its inverse, up to what it usually moves in one bar.
//! - The jump is much larger than the moves around it.
//! - The bars after it are about as wide as those before it, and about as much is traded in the first of them. After
//!   a crash bars are wide and much is traded.
//! - The price was at the old level before and stays at the new one. A single wrong price goes back.

use crate::bars::Bar;
use crate::time::Utc;

/// Ratios of splits that are known to occur, as new shares for old ones. The inverse of each is a reverse split.
const RATIOS: [(u32, u32); 21] = [
    (2, 1),
    (3, 1),
    (3, 2),
    (4, 1),
    (4, 3),
    (5, 4),
    (5, 1),
    (5, 2),
    (6, 1),
    (7, 1),
    (8, 1),
    (10, 1),
    (12, 1),
    (15, 1),
    (20, 1),
    (25, 1),
    (30, 1),
    (40, 1),
    (50, 1),
    (100, 1),
    (1_000, 1),
];
/// Smaller jumps in logarithm are not looked at. The smallest ratio is 5:4.
const MIN_JUMP: f64 = 0.2;
/// Number of bars before and after a jump that it is compared with.
const AROUND: usize = 20;
/// Fewer bars before a jump do not show how much the price usually moves.
const MIN_BEFORE: usize = 5;
/// A jump is at least this many times as large as the usual move.
const MIN_SIZE: f64 = 6.0;
/// The price may differ from the ratio by this many usual moves …
const TOLERANCE: f64 = 3.0;
/// … and by these limits in logarithm, so that a very volatile price does not fit every ratio.
const TOLERANCE_LIMITS: (f64, f64) = (0.005, 0.04);
/// The upper limit for jumps below [`LARGE`]. In 67 files of shares, indices and currencies it names no jump but splits.
const SMALL_TOLERANCE: f64 = 0.012;
/// A jump in logarithm that news rarely cause: that of 3:2 is larger, those of 4:3 and 5:4 are smaller.
const LARGE: f64 = 0.35;
/// Bars after a split are at most this many times as wide as those before it.
const MAX_WIDENING: f64 = 2.0;
/// The first bar after a split is at most this many times as wide as those before it …
const MAX_FIRST_WIDENING: f64 = 3.0;
/// … and in it at most this many times as much is traded, in money or in shares.
const MAX_BUSIER: f64 = 5.0;

/// A jump of the price that looks like a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jump {
    /// When the bar opens that has the new price, in ms since 1970-01-01T00:00:00Z.
    pub open_time_ms: i64,
    /// New shares …
    pub new: u32,
    /// … for this many old ones. Above `new` for a reverse split.
    pub old: u32,
}

impl std::fmt::Display for Jump {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}:{})", Utc(self.open_time_ms), self.new, self.old)
    }
}

/// The jumps in bars that look like splits, oldest first.
pub fn jumps(bars: &[Bar]) -> Vec<Jump> {
    (MIN_BEFORE..bars.len()).filter_map(|at| jump_at(bars, at)).collect()
}

fn jump_at(bars: &[Bar], at: usize) -> Option<Jump> {
    let between = log_ratio(bars[at].open, bars[at - 1].close);
    let within = log_ratio(bars[at].close, bars[at].open);
    if between.abs() >= MIN_JUMP {
        return judge(between, &bars[..at], &bars[at..], bars[at].open_time_ms);
    }
    if within.abs() >= MIN_JUMP && at + 1 < bars.len() {
        return judge(within, &bars[..at], &bars[at + 1..], bars[at].open_time_ms);
    }
    None
}

/// The jump between two parts of a series, neither of which may be empty, if it looks like a split.
fn judge(jump: f64, before: &[Bar], after: &[Bar], open_time_ms: i64) -> Option<Jump> {
    let before = &before[before.len().saturating_sub(AROUND)..];
    let after = &after[..after.len().min(AROUND)];
    let usual = usual_move(before).max(usual_move(after));
    let (new, old, off) = nearest_ratio(jump);
    let (least, most) = TOLERANCE_LIMITS;
    let most = if jump.abs() < LARGE { SMALL_TOLERANCE } else { most };
    let fits = off <= (TOLERANCE * usual).clamp(least, most);
    let stands_out = jump.abs() >= MIN_SIZE * usual;
    let usual_width = width(before).max(f64::EPSILON);
    let first = &after[..1];
    // Volumes may be adjusted for splits or not, so both must have risen.
    let rises = |measure: fn(&Bar) -> f64| {
        measure(&first[0]) > MAX_BUSIER * median(before.iter().map(measure).collect())
    };
    let is_busy = rises(traded) && rises(|bar| bar.volume);
    let is_calm = width(after) <= MAX_WIDENING * usual_width
        && width(first) <= MAX_FIRST_WIDENING * usual_width
        && !is_busy;
    let level = |bars: &[Bar]| median(bars.iter().map(|bar| bar.close.ln()).collect());
    let last = before[before.len() - 1].close.ln();
    let stays = (level(after) - first[0].open.ln()).abs() < jump.abs() / 2.0
        && (level(before) - last).abs() < jump.abs() / 2.0;
    (fits && stands_out && is_calm && stays).then_some(Jump { open_time_ms, new, old })
}

/// The split that is nearest to a jump of the price, and its distance in logarithm.
fn nearest_ratio(jump: f64) -> (u32, u32, f64) {
    let both = RATIOS.into_iter().flat_map(|(new, old)| [(new, old), (old, new)]);
    let distances =
        both.map(|(new, old)| (new, old, (jump - (f64::from(old) / f64::from(new)).ln()).abs()));
    distances.min_by(|a, b| a.2.total_cmp(&b.2)).expect("there are ratios")
}

/// The usual move from close to close: the median, scaled to the standard deviation of a normal variable.
fn usual_move(bars: &[Bar]) -> f64 {
    let moves = bars.windows(2).map(|pair| log_ratio(pair[1].close, pair[0].close).abs()).collect();
    1.48 * median(moves)
}

/// The median width of bars from low to high, in logarithm.
fn width(bars: &[Bar]) -> f64 {
    median(bars.iter().map(|bar| log_ratio(bar.high, bar.low)).collect())
}

/// The money traded in a bar, in price times volume.
fn traded(bar: &Bar) -> f64 {
    bar.close * bar.volume
}

fn log_ratio(price: f64, before: f64) -> f64 {
    (price / before).ln()
}

/// The median; 0 without a value.
fn median(mut values: Vec<f64>) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const AT: usize = 30;

    /// 60 bars of a price near 100 that moves by up to 1 % in a bar.
    fn calm() -> Vec<Bar> {
        (0..60)
            .map(|idx| {
                let open = 100.0 + (1.9 * idx as f64).sin();
                let close = 100.0 + (1.9 * (idx + 1) as f64).sin();
                let (high, low) = (open.max(close) + 0.3, open.min(close) - 0.3);
                Bar { open_time_ms: HOUR_MS * idx, open, high, low, close, volume: 1_000.0 }
            })
            .collect()
    }

    fn scaled(bar: Bar, factor: f64) -> Bar {
        let Bar { open, high, low, close, .. } = bar;
        Bar {
            open: open * factor,
            high: high * factor,
            low: low * factor,
            close: close * factor,
            ..bar
        }
    }

    /// The calm bars with all prices from one bar on multiplied.
    fn split(factor: f64) -> Vec<Bar> {
        let bars = calm().into_iter().enumerate();
        bars.map(|(idx, bar)| if idx < AT { bar } else { scaled(bar, factor) }).collect()
    }

    #[test]
    fn split_is_named_with_bar_and_ratio() {
        let ratios = [
            (2, 1),
            (3, 2),
            (3, 1),
            (4, 1),
            (7, 1),
            (10, 1),
            (100, 1),
            (1, 10),
            (1, 2),
            (2, 3),
            (4, 3),
            (5, 4),
            (3, 4),
            (4, 5),
        ];
        for (new, old) in ratios {
            let found = jumps(&split(f64::from(old) / f64::from(new)));
            let expected = Jump { open_time_ms: HOUR_MS * AT as i64, new, old };
            assert_eq!(found, [expected], "{new}:{old}");
        }
        assert_eq!(jumps(&split(0.1))[0].to_string(), "1970-01-02T06:00:00Z (10:1)");
    }

    #[test]
    fn split_inside_a_bar_and_in_the_last_bar_is_named() {
        let mut bars = split(0.1);
        bars[AT].open *= 10.0;
        bars[AT].high *= 10.0;
        assert_eq!(jumps(&bars).len(), 1);
        assert_eq!(jumps(&split(0.1)[..=AT]).len(), 1);
    }

    #[test]
    fn other_ratio_is_no_split() {
        for factor in [0.57, 0.44, 0.7, 1.75, 0.85, 0.225] {
            assert_eq!(jumps(&split(factor)), [], "{factor}");
        }
    }

    #[test]
    fn crash_to_one_half_is_no_split() {
        let mut wide = split(0.5);
        for bar in &mut wide[AT..] {
            (bar.high, bar.low) = (bar.high * 1.02, bar.low * 0.98);
        }
        assert_eq!(jumps(&wide), []);
        let mut busy = split(0.5);
        busy[AT].volume *= 30.0;
        assert_eq!(jumps(&busy), []);
    }

    #[test]
    fn wrong_price_that_goes_back_is_no_split() {
        let mut bars = calm();
        bars[AT] = scaled(bars[AT], 0.1);
        assert_eq!(jumps(&bars), []);
    }

    #[test]
    fn volatile_price_that_often_halves_is_no_split() {
        let mut price: f64 = 100.0;
        let bars: Vec<Bar> = (0..200_i64)
            .map(|idx| {
                let open = price;
                price *= [0.5, 1.9, 1.1, 0.7, 1.6, 0.9][idx as usize % 6];
                let (high, low) = (open.max(price), open.min(price));
                Bar { open_time_ms: HOUR_MS * idx, open, high, low, close: price, volume: 0.0 }
            })
            .collect();
        assert_eq!(jumps(&bars), []);
    }

    #[test]
    fn samples_have_no_splits() {
        for sample in crate::samples::Sample::ALL {
            let raw = crate::read::read_bars(&sample.csv().unwrap(), sample.file_name).unwrap();
            assert_eq!(jumps(raw.as_slice()), [], "{}", sample.file_name);
        }
    }
}
