//! Days by the sessions in the data.
//!
//! A session is a run of bars with no gap of four hours or more: longer than a lunch break, shorter
//! than any night. Where every session is shorter than a day (a stock market), a session is the
//! day, even when it crosses midnight UTC, and takes the UTC date it opens on; two that open on one
//! date make one bar. Where trading goes on for a day or more (forex, crypto), days are UTC days.

use super::start_of;
use crate::Bar;

const DAY_MS: i64 = 86_400_000;
const MIN_GAP_MS: i64 = 4 * 3_600_000;

/// Whether no run of bars without a gap lasts a day.
pub(super) fn are_shorter_than_a_day(bars: &[Bar], bar_ms: i64) -> bool {
    let mut sessions = Sessions::new(bar_ms);
    bars.iter().all(|bar| {
        sessions.advance(bar);
        bar.open_time_ms + bar_ms - sessions.opened_at < DAY_MS
    })
}

/// Follows the sessions bar by bar.
pub(super) struct Sessions {
    bar_ms: i64,
    opened_at: i64,
    ends_at: Option<i64>,
}

impl Sessions {
    pub(super) fn new(bar_ms: i64) -> Self {
        Self { bar_ms, opened_at: 0, ends_at: None }
    }

    /// Start of the UTC date on which the bar's session opened.
    pub(super) fn date_of(&mut self, bar: &Bar) -> i64 {
        self.advance(bar);
        start_of(self.opened_at, DAY_MS)
    }

    fn advance(&mut self, bar: &Bar) {
        let goes_on = self.ends_at.is_some_and(|end| bar.open_time_ms - end < MIN_GAP_MS);
        if !goes_on {
            self.opened_at = bar.open_time_ms;
        }
        self.ends_at = Some(bar.open_time_ms + self.bar_ms);
    }
}
