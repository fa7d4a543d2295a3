//! Splitting bars by time into training, validation and test windows.
//!
//! All decisions and fills of a window use its own bars: a decision after the close of bar t is filled at the open of bar
//! t+1 and valued at its close, so a window of m bars has m − 1 timesteps. One bar between two windows belongs to neither.
//! The training window includes the warm-up of the features. Later windows warm up on the bars before them; this leaks
//! nothing, because features are causal.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::bars::Bars;
use crate::error::MarketError;
use crate::features::WARM_UP_BARS;
use crate::time::Utc;

/// Number of equal, consecutive episodes of a window that an evaluation runs over.
pub const N_EVALUATION_EPISODES: usize = 5;

/// Fewest timesteps of an evaluation episode. The return of a shorter one is too noisy to mean anything.
const MIN_EPISODE_TIMESTEPS: usize = 10;

/// Fewest bars of a window, without the warm-up.
const MIN_WINDOW_BARS: usize = N_EVALUATION_EPISODES * MIN_EPISODE_TIMESTEPS + 1;

/// Fewest bars for the default split: from this number on, each of its windows is long enough.
pub const MIN_BARS: usize = 323;

/// Bars between two windows.
const N_PURGED_BARS: usize = 1;

/// Percentage of the bars before the validation window starts.
const TRAIN_PERCENT: usize = 64;

/// Percentage of the bars before the test window starts.
const BEFORE_TEST_PERCENT: usize = 80;

/// A window of consecutive bars.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarWindow {
    /// Indices of its bars, half-open.
    pub bars: Range<usize>,
    /// When its first bar opens, in ms since the epoch.
    pub start_ms: i64,
    /// When its last bar ends, in ms since the epoch.
    pub end_ms: i64,
}

/// The three windows of a split, in order of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The bars to train on; the warm-up of the features comes first.
    pub train: BarWindow,
    /// The bars to monitor the training and select the model on.
    pub validation: BarWindow,
    /// The bars to report results on.
    pub test: BarWindow,
}

/// Where the windows start and end, in ms since the epoch. A missing start follows from the shares 64, 16 and 20 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Boundaries {
    /// First moment of the validation window.
    pub validation_from_ms: Option<i64>,
    /// First moment of the test window.
    pub test_from_ms: Option<i64>,
    /// First moment after the test window; later bars belong to no window. `None`: the end of the bars.
    pub test_until_ms: Option<i64>,
}

impl BarWindow {
    fn new(bars: &Bars, range: Range<usize>) -> Self {
        let times = &bars.as_slice()[range.clone()];
        let start_ms = times.first().map_or(bars.first_ms(), |bar| bar.open_time_ms);
        let last_ms = times.last().map_or(start_ms, |bar| bar.open_time_ms);
        Self { bars: range, start_ms, end_ms: last_ms + bars.timeframe().millis() }
    }

    /// Number of timesteps in one pass over the window.
    pub fn n_timesteps(&self) -> usize {
        self.bars.len().saturating_sub(1)
    }

    /// The bars of the evaluation episodes. All have the same length, and each begins with the last bar of the one before.
    /// Up to four timesteps at the end of the window are not used.
    pub fn evaluation_episodes(&self) -> [Range<usize>; N_EVALUATION_EPISODES] {
        let n_timesteps = self.n_timesteps() / N_EVALUATION_EPISODES;
        std::array::from_fn(|idx| {
            let start = self.bars.start + idx * n_timesteps;
            start..(start + n_timesteps + 1).min(self.bars.end)
        })
    }
}

/// Splits bars by time into 64, 16 and 20 % of the bars, or at the given boundaries.
///
/// Each window needs 51 bars (five evaluation episodes of at least ten timesteps), and the training window the warm-up
/// besides. With the default shares these are [`MIN_BARS`] bars.
///
/// # Errors
/// - [`MarketError::TooFewBars`]: fewer than [`MIN_BARS`] bars without boundaries.
/// - [`MarketError::BoundaryOutside`]: a boundary is not inside the bars.
/// - [`MarketError::BoundaryOrder`]: the test window would not start after the validation window.
/// - [`MarketError::WindowTooShort`]: a window has too few bars.
pub fn split(bars: &Bars, boundaries: Boundaries) -> Result<Split, MarketError> {
    if boundaries == Boundaries::default() && bars.len() < MIN_BARS {
        return Err(MarketError::TooFewBars {
            n_bars: bars.len(),
            n_needed: MIN_BARS,
            warm_up: WARM_UP_BARS,
            per_window: MIN_WINDOW_BARS,
        });
    }
    let (validation_from, test_from) = starts(bars, boundaries)?;
    let train = 0..end_before(bars, validation_from);
    let validation = validation_from..end_before(bars, test_from);
    let test_until = boundaries.test_until_ms.map_or(bars.len(), |until| {
        bars.as_slice().partition_point(|bar| bar.open_time_ms < until)
    });
    let test = test_from..test_until.max(test_from);
    let needed = [
        ("training", &train, WARM_UP_BARS + MIN_WINDOW_BARS),
        ("validation", &validation, MIN_WINDOW_BARS),
        ("test", &test, MIN_WINDOW_BARS),
    ];
    for (window, range, n_needed) in needed {
        if range.len() < n_needed {
            return Err(MarketError::WindowTooShort { window, n_bars: range.len(), n_needed });
        }
    }
    Ok(Split {
        train: BarWindow::new(bars, train),
        validation: BarWindow::new(bars, validation),
        test: BarWindow::new(bars, test),
    })
}

/// End of a window before the bar `next`. At least one bar, and at least the time of one bar, lies between the two windows;
/// after a day of 23 hours or an early bar this purges one bar more.
fn end_before(bars: &Bars, next: usize) -> usize {
    let slice = bars.as_slice();
    let purge_ms = bars.timeframe().millis();
    let next_ms = slice[next].open_time_ms;
    let mut end = next.saturating_sub(N_PURGED_BARS);
    while end > 0 && slice[end - 1].open_time_ms + 2 * purge_ms > next_ms {
        end -= 1;
    }
    end
}

/// Indices of the first bar of validation and of test.
fn starts(bars: &Bars, boundaries: Boundaries) -> Result<(usize, usize), MarketError> {
    let n_bars = bars.len();
    let validation_from = boundaries
        .validation_from_ms
        .map(|at| bar_from(bars, at, "`--validation-from`"))
        .transpose()?;
    let test_from =
        boundaries.test_from_ms.map(|at| bar_from(bars, at, "`--test-from`")).transpose()?;
    let (validation_from, test_from) = match (validation_from, test_from) {
        (Some(validation), Some(test)) => (validation, test),
        // The bars without a boundary are divided as by default: 16 to 20 after it, or 64 to 16 before it.
        (Some(validation), None) => (validation, validation + (n_bars - validation) * 16 / 36),
        (None, Some(test)) => (test * TRAIN_PERCENT / BEFORE_TEST_PERCENT, test),
        (None, None) => default_starts(n_bars),
    };
    if test_from <= validation_from {
        let at = |idx: usize| Utc(bars.as_slice()[idx].open_time_ms);
        return Err(MarketError::BoundaryOrder {
            validation_from: at(validation_from),
            test_from: at(test_from),
        });
    }
    Ok((validation_from, test_from))
}

fn default_starts(n_bars: usize) -> (usize, usize) {
    (n_bars * TRAIN_PERCENT / 100, n_bars * BEFORE_TEST_PERCENT / 100)
}

/// Index of the first bar at or after a moment, which must be inside the bars.
fn bar_from(bars: &Bars, at_ms: i64, boundary: &'static str) -> Result<usize, MarketError> {
    if at_ms <= bars.first_ms() || at_ms > bars.last_ms() {
        let (first, last) = (Utc(bars.first_ms()), Utc(bars.last_ms()));
        return Err(MarketError::BoundaryOutside { boundary, at: Utc(at_ms), first, last });
    }
    Ok(bars.as_slice().partition_point(|bar| bar.open_time_ms < at_ms))
}

#[cfg(test)]
mod tests {
    use herdbook_domain::Timeframe;

    use super::*;
    use crate::bars::Bar;

    const HOUR_MS: i64 = 3_600_000;

    fn bars(n_bars: i64) -> Bars {
        let bar = |idx| Bar {
            open_time_ms: idx * HOUR_MS,
            open: 1.0,
            high: 1.0,
            low: 1.0,
            close: 1.0,
            volume: 0.0,
        };
        Bars::new(Timeframe::Hour1, (0..n_bars).map(bar).collect()).unwrap()
    }

    fn from_ms(validation: Option<i64>, test: Option<i64>) -> Boundaries {
        let hours = |at: i64| at * HOUR_MS;
        Boundaries {
            validation_from_ms: validation.map(hours),
            test_from_ms: test.map(hours),
            test_until_ms: None,
        }
    }

    #[test]
    fn default_split_is_64_16_20_with_one_bar_between() {
        let split = split(&bars(1_000), Boundaries::default()).unwrap();
        assert_eq!(split.train.bars, 0..639);
        assert_eq!(split.validation.bars, 640..799);
        assert_eq!(split.test.bars, 800..1_000);
        assert_eq!((split.train.start_ms, split.train.end_ms), (0, 639 * HOUR_MS));
        assert_eq!(split.validation.start_ms, 640 * HOUR_MS);
        assert_eq!(split.test.end_ms, 1_000 * HOUR_MS);
    }

    #[test]
    fn boundaries_given_are_where_windows_start() {
        let split_at = |validation, test| split(&bars(1_000), from_ms(validation, test));
        let both = split_at(Some(500), Some(700)).unwrap();
        assert_eq!((both.train.bars, both.validation.bars), (0..499, 500..699));
        assert_eq!(both.test.bars, 700..1_000);
        let test_only = split_at(None, Some(900)).unwrap();
        assert_eq!((test_only.validation.bars, test_only.test.bars), (720..899, 900..1_000));
        let validation_only = split_at(Some(640), None).unwrap();
        assert_eq!(validation_only, split_at(None, None).unwrap());
    }

    #[test]
    fn too_few_bars_says_how_many_are_needed() {
        assert_eq!(
            split(&bars(100), Boundaries::default()).unwrap_err().to_string(),
            "100 bars are too few: training, validation and test need 323 together \
             (100 to warm up the features, 51 in each window); give more bars"
        );
        assert!(split(&bars(322), Boundaries::default()).is_err());
        for n_bars in 323..1_000 {
            assert!(split(&bars(n_bars), Boundaries::default()).is_ok(), "{n_bars}");
        }
        // One bar less would not always do.
        assert_eq!(default_starts(322), (206, 257));
    }

    #[test]
    fn window_too_short_by_its_boundaries_is_named() {
        let error = split(&bars(1_000), from_ms(Some(120), None)).unwrap_err();
        assert!(error.to_string().starts_with("the training window has 119 bars and needs 151"));
        let error = split(&bars(1_000), from_ms(None, Some(960))).unwrap_err();
        assert!(error.to_string().starts_with("the test window has 40 bars and needs 51"));
    }

    #[test]
    fn boundaries_must_be_in_order_and_inside() {
        let error = split(&bars(1_000), from_ms(Some(700), Some(600))).unwrap_err();
        assert!(matches!(error, MarketError::BoundaryOrder { .. }));
        let error = split(&bars(1_000), from_ms(None, Some(1_000))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`--test-from` 1970-02-11T16:00:00Z is not inside the bars, which go from \
             1970-01-01T00:00:00Z to 1970-02-11T15:00:00Z"
        );
    }

    #[test]
    fn evaluation_episodes_are_equal_and_consecutive() {
        let split = split(&bars(1_000), Boundaries::default()).unwrap();
        // 158 timesteps: five times 31, and three left over.
        assert_eq!(
            split.validation.evaluation_episodes(),
            [640..672, 671..703, 702..734, 733..765, 764..796]
        );
    }
}
