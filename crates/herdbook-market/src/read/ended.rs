//! Bars and the clock: a bar counts once it has ended.

use super::raw_bars::RawBars;
use crate::error::MarketError;
use crate::time::{Utc, length_text};

const DAY_MS: i64 = 86_400_000;
/// A bar may open this long after the clock's time: clocks of two machines differ.
const CLOCK_DIFFERENCE_MS: i64 = 5 * 60_000;
/// A day may open this long after the clock's time: in the easternmost time zone dates begin 14 hours before UTC.
const DATE_DIFFERENCE_MS: i64 = 14 * 3_600_000;

impl RawBars {
    /// Leaves out the bars that have not ended at `now_ms`, with a remark.
    ///
    /// # Errors
    /// [`MarketError::FutureBars`] if bars open after `now_ms` by more than clocks and the dates of time zones differ;
    /// [`MarketError::NoEndedBar`] if no bar has ended.
    pub fn ended_by(mut self, now_ms: i64) -> Result<Self, MarketError> {
        let (length_ms, n_before) = (self.bar_length_ms, self.bars.len());
        let allowed_ms = if length_ms >= DAY_MS { DATE_DIFFERENCE_MS } else { CLOCK_DIFFERENCE_MS };
        let last = self.bars.last().map_or(i64::MIN, |bar| bar.open_time_ms);
        if last > now_ms.saturating_add(allowed_ms) {
            let first = self.bars.partition_point(|bar| bar.open_time_ms <= now_ms);
            return Err(MarketError::FutureBars {
                file: self.file,
                n_bars: n_before - first,
                first: Utc(self.bars[first].open_time_ms),
                now: Utc(now_ms),
            });
        }
        let n_ended = self.bars.partition_point(|bar| bar.open_time_ms + length_ms <= now_ms);
        if n_ended == 0 {
            return Err(MarketError::NoEndedBar {
                file: self.file,
                first: Utc(self.bars[0].open_time_ms),
                length: length_text(length_ms),
                now: Utc(now_ms),
            });
        }
        if n_ended < n_before {
            self.add_remark(format!(
                "the bar of {} that opens at {} has not ended and is left out",
                length_text(length_ms),
                Utc(self.bars[n_ended].open_time_ms),
            ));
            self.bars.truncate(n_ended);
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use crate::read::read_bars;
    use crate::time::Utc;

    use super::*;

    /// `n_bars` bars of a length from 2024-01-01T00:00Z on.
    fn bars(n_bars: i64, length_ms: i64) -> RawBars {
        let mut csv = "time,open,high,low,close\n".to_owned();
        for idx in 0..n_bars {
            csv += &format!("{},1,1,1,1\n", Utc(START_MS + idx * length_ms));
        }
        read_bars(csv.as_bytes(), "bars.csv").unwrap()
    }

    const START_MS: i64 = 1_704_067_200_000;
    const HOUR_MS: i64 = 3_600_000;

    #[test]
    fn bar_counts_from_the_moment_on_at_which_it_ends() {
        let end_ms = START_MS + 10 * HOUR_MS;
        let all = bars(10, HOUR_MS).ended_by(end_ms).unwrap();
        assert_eq!((all.as_slice().len(), all.remarks().len()), (10, 0));
        let before = bars(10, HOUR_MS).ended_by(end_ms - 1).unwrap();
        assert_eq!(before.as_slice().len(), 9);
        assert_eq!(
            before.remarks(),
            ["the bar of 1 h that opens at 2024-01-01T09:00:00Z has not ended and is left out"]
        );
    }

    #[test]
    fn bars_of_the_future_are_refused_with_a_hint_at_the_time_zone() {
        let now_ms = START_MS + 8 * HOUR_MS + 600_000;
        assert_eq!(
            bars(10, HOUR_MS).ended_by(now_ms).unwrap_err().to_string(),
            "`bars.csv` has 1 bar of the future, the first of 2024-01-01T09:00:00Z, but it is 2024-01-01T08:10:00Z: \
             if its times are local, name their zone with `--bar-timezone`; otherwise correct the clock or the file"
        );
        assert!(bars(10, HOUR_MS).ended_by(START_MS + 9 * HOUR_MS - 60_000).is_ok());
        let error = bars(10, HOUR_MS).ended_by(START_MS - 365 * 24 * HOUR_MS).unwrap_err();
        assert!(error.to_string().contains("has 10 bars of the future"), "{error}");
    }

    #[test]
    fn date_of_an_eastern_time_zone_is_no_future() {
        let now_ms = START_MS + 9 * DAY_MS - 10 * HOUR_MS;
        let ended = bars(10, DAY_MS).ended_by(now_ms).unwrap();
        assert_eq!(ended.as_slice().len(), 8);
        assert!(bars(10, DAY_MS).ended_by(now_ms - 10 * HOUR_MS).is_err());
    }

    #[test]
    fn file_without_an_ended_bar_is_refused() {
        let error = bars(2, DAY_MS).ended_by(START_MS + 23 * HOUR_MS + 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`bars.csv` has no bar that has ended: its first one opens at 2024-01-01T00:00:00Z and lasts 1 d, but it is \
             2024-01-01T23:00:00.001Z"
        );
    }
}
