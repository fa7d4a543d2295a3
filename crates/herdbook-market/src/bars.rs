//! Bars: the prices and volumes of one instrument, oldest first.

use std::fmt::Write as _;

use herdbook_domain::Timeframe;
use sha2::{Digest, Sha256};

use crate::error::MarketError;

const WEEK_MS: i64 = 604_800_000;
const WEEKS_PER_YEAR: f64 = 365.25 / 7.0;
/// A session of a market ends with a gap of at least this length: longer than a lunch break, shorter than a night.
pub(crate) const SESSION_GAP_MS: i64 = 4 * 3_600_000;

/// One OHLCV row: open, high, low, close and volume.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// When the bar opens, in milliseconds since 1970-01-01T00:00:00Z.
    pub open_time_ms: i64,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Volume in the source's own unit; 0 where the source has none.
    pub volume: f64,
}

impl Bar {
    /// Why the bar is invalid, as a clause; `None` for a valid bar.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        let prices = [self.open, self.high, self.low, self.close];
        if prices.iter().any(|price| !price.is_finite() || *price <= 0.0) {
            return Some("has a price that is not above zero");
        }
        if !self.volume.is_finite() || self.volume < 0.0 {
            return Some("has a volume below zero");
        }
        if self.high < self.open.max(self.close) || self.low > self.open.min(self.close) {
            return Some("has an open or close outside its high and low");
        }
        None
    }
}

/// Bars of one timeframe: at least one, in strictly ascending order of time.
///
/// Every price is finite and above zero, `low` and `high` enclose `open` and `close`, and no volume is negative. Missing
/// bars are not filled in.
///
/// ```
/// use herdbook_domain::Timeframe;
/// use herdbook_market::{Bar, Bars, MarketError};
///
/// let bar = |open_time_ms| Bar { open_time_ms, open: 1.5, high: 2.0, low: 1.0, close: 1.75, volume: 3.0 };
/// let bars = Bars::new(Timeframe::Minute1, vec![bar(0), bar(60_000)])?;
/// assert_eq!((bars.len(), bars.last_ms()), (2, 60_000));
///
/// let unsorted = Bars::new(Timeframe::Minute1, vec![bar(60_000), bar(0)]);
/// assert!(matches!(unsorted, Err(MarketError::InvalidBar { bar_idx: 1, .. })));
/// # Ok::<(), MarketError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Bars {
    timeframe: Timeframe,
    bars: Vec<Bar>,
}

impl Bars {
    /// Checks bars and takes them over. The bars need not start on boundaries of `timeframe`.
    ///
    /// # Errors
    /// [`MarketError::NoBars`] without a bar; [`MarketError::InvalidBar`] for the first bar that is invalid or does not
    /// open after the one before it.
    pub fn new(timeframe: Timeframe, bars: Vec<Bar>) -> Result<Self, MarketError> {
        if bars.is_empty() {
            return Err(MarketError::NoBars);
        }
        let mut previous_ms = None;
        for (bar_idx, bar) in bars.iter().enumerate() {
            let is_later = previous_ms.is_none_or(|previous| previous < bar.open_time_ms);
            let problem = if is_later {
                bar.problem()
            } else {
                Some("does not open after the one before it")
            };
            if let Some(problem) = problem {
                return Err(MarketError::InvalidBar { bar_idx, problem });
            }
            previous_ms = Some(bar.open_time_ms);
        }
        Ok(Self { timeframe, bars })
    }

    /// Takes over bars that were checked already.
    pub(crate) fn from_checked(timeframe: Timeframe, bars: Vec<Bar>) -> Self {
        debug_assert!(!bars.is_empty());
        Self { timeframe, bars }
    }

    /// Leaves out the bars that have not ended at `now_ms`. `source_end_ms` is the end of the last bar that these were merged
    /// from: a day whose session goes on after its end has ended when no bar of the session can follow. `None` if no bar
    /// has ended.
    pub fn ended_by(mut self, now_ms: i64, source_end_ms: i64) -> Option<Self> {
        let length_ms = self.timeframe.millis();
        let has_ended = |bar: &Bar| bar.open_time_ms + length_ms <= now_ms;
        let is_session_open = self.bars.last().is_some_and(|last| {
            source_end_ms > last.open_time_ms + length_ms && now_ms < source_end_ms + SESSION_GAP_MS
        });
        self.bars.truncate(self.bars.len() - usize::from(is_session_open));
        self.bars.truncate(self.bars.partition_point(has_ended));
        (!self.bars.is_empty()).then_some(self)
    }

    /// The bars, oldest first.
    pub fn as_slice(&self) -> &[Bar] {
        &self.bars
    }

    /// Length of each bar.
    pub fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    /// Number of bars; never 0.
    #[expect(clippy::len_without_is_empty, reason = "there is always at least one bar")]
    pub fn len(&self) -> usize {
        self.bars.len()
    }

    /// Lower-case hex SHA-256 over all bars: for each its open time in ms as i64, then open, high, low, close and volume
    /// as f64, all little-endian.
    pub fn sha256(&self) -> String {
        let mut hasher = Sha256::new();
        for bar in &self.bars {
            hasher.update(bar.open_time_ms.to_le_bytes());
            for value in [bar.open, bar.high, bar.low, bar.close, bar.volume] {
                hasher.update(value.to_le_bytes());
            }
        }
        hex(&hasher.finalize())
    }

    /// Average number of bars in a year of 365.25 days.
    ///
    /// Counted over the whole weeks from the first bar on, so that nights and weekends have their usual share. `None` for
    /// data of less than a week. Compute it once for a data set, and use it for its training and test windows and for
    /// parents and children alike.
    pub fn bars_per_year(&self) -> Option<f64> {
        let (first_ms, last_ms) = (self.first_ms(), self.last_ms());
        let n_weeks = (last_ms + self.timeframe.millis() - first_ms) / WEEK_MS;
        if n_weeks == 0 {
            return None;
        }
        let end_ms = first_ms + n_weeks * WEEK_MS;
        let n_bars = self.bars.partition_point(|bar| bar.open_time_ms < end_ms);
        Some(n_bars as f64 / n_weeks as f64 * WEEKS_PER_YEAR)
    }

    /// When the first bar opens, in milliseconds since 1970-01-01T00:00:00Z.
    pub fn first_ms(&self) -> i64 {
        self.bars[0].open_time_ms
    }

    /// When the last bar opens, in milliseconds since 1970-01-01T00:00:00Z.
    pub fn last_ms(&self) -> i64 {
        self.bars[self.bars.len() - 1].open_time_ms
    }
}

/// Bytes as lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(open_time_ms: i64) -> Bar {
        Bar { open_time_ms, open: 1.5, high: 2.0, low: 1.0, close: 1.75, volume: 3.0 }
    }

    #[test]
    fn bars_must_ascend() {
        let error = Bars::new(Timeframe::Minute1, vec![bar(0), bar(60_000), bar(60_000)]);
        assert_eq!(
            error.unwrap_err().to_string(),
            "bar 2 does not open after the one before it: bars must be ascending, finite and positive"
        );
        assert_eq!(Bars::new(Timeframe::Minute1, vec![]), Err(MarketError::NoBars));
    }

    #[test]
    fn bars_must_be_consistent() {
        for broken in [
            Bar { high: 1.6, ..bar(0) },
            Bar { low: 1.6, ..bar(0) },
            Bar { open: f64::NAN, ..bar(0) },
            Bar { low: 0.0, ..bar(0) },
            Bar { volume: -1.0, ..bar(0) },
            Bar { volume: f64::INFINITY, ..bar(0) },
        ] {
            assert!(Bars::new(Timeframe::Minute1, vec![broken]).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn hash_is_over_time_and_values_in_little_endian() {
        let bars = Bars::new(Timeframe::Minute1, vec![bar(1_483_308_000_000)]).unwrap();
        let mut bytes = 1_483_308_000_000_i64.to_le_bytes().to_vec();
        for value in [1.5_f64, 2.0, 1.0, 1.75, 3.0] {
            bytes.extend(value.to_le_bytes());
        }
        assert_eq!(bytes.len(), 48);
        assert_eq!(bars.sha256(), hex(&Sha256::digest(&bytes)));
    }

    #[test]
    fn only_bars_that_ended_are_kept() {
        let bars =
            Bars::new(Timeframe::Minute1, (0..3).map(|idx| bar(idx * 60_000)).collect()).unwrap();
        let ended = |now_ms, end_ms| bars.clone().ended_by(now_ms, end_ms).map(|bars| bars.len());
        assert_eq!([ended(180_000, 180_000), ended(179_999, 180_000)], [Some(3), Some(2)]);
        assert_eq!(ended(59_999, 180_000), None);
        // The session of the last bar goes on.
        assert_eq!(ended(200_000, 190_000), Some(2));
        assert_eq!(ended(190_000 + SESSION_GAP_MS, 190_000), Some(3));
    }

    #[test]
    fn less_than_a_week_has_no_bars_per_year() {
        let bars = (0..3).map(|idx| bar(idx * 60_000)).collect();
        assert_eq!(Bars::new(Timeframe::Minute1, bars).unwrap().bars_per_year(), None);
    }

    #[test]
    fn bars_after_the_last_whole_week_do_not_count() {
        let bars = (0..10).map(|idx| bar(idx * 86_400_000)).collect();
        let bars = Bars::new(Timeframe::Day1, bars).unwrap();
        assert_eq!(bars.bars_per_year(), Some(365.25));
    }
}
