//! Trading sessions, found in the data.
//!
//! A session is a run of bars without a gap of four hours or more, which is longer than a lunch break and shorter than a
//! night. Where every session is shorter than a day (stocks), a session is one day, also when it crosses midnight UTC, and
//! has the UTC date on which it opens. Two sessions that open on one date make one bar.

use super::bin::start_of;
use crate::bars::{Bar, SESSION_GAP_MS};

const DAY_MS: i64 = 86_400_000;

/// Whether every session is shorter than a day.
pub(super) fn are_shorter_than_a_day(bars: &[Bar], bar_ms: i64) -> bool {
    let mut sessions = Sessions::new(bar_ms);
    bars.iter().all(|bar| {
        sessions.advance(bar);
        bar.open_time_ms + bar_ms - sessions.opened_at < DAY_MS
    })
}

/// Finds the session of each bar, one bar after the other.
pub(super) struct Sessions {
    bar_ms: i64,
    opened_at: i64,
    ends_at: Option<i64>,
}

impl Sessions {
    pub(super) fn new(bar_ms: i64) -> Self {
        Self { bar_ms, opened_at: 0, ends_at: None }
    }

    /// Midnight of the UTC date on which the session of the next bar opened, in ms.
    pub(super) fn date_of(&mut self, bar: &Bar) -> i64 {
        self.advance(bar);
        start_of(self.opened_at, DAY_MS)
    }

    /// Start of the bin that holds the next bar, in ms. Bins of this length are counted from the start of its session.
    pub(super) fn bin_of(&mut self, bar: &Bar, length_ms: i64) -> i64 {
        self.advance(bar);
        self.opened_at + start_of(bar.open_time_ms - self.opened_at, length_ms)
    }

    fn advance(&mut self, bar: &Bar) {
        let continues = self.ends_at.is_some_and(|end| bar.open_time_ms - end < SESSION_GAP_MS);
        if !continues {
            self.opened_at = bar.open_time_ms;
        }
        self.ends_at = Some(bar.open_time_ms + self.bar_ms);
    }
}
