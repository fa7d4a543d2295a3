//! Events that lie in the future of the clock.
//!
//! A history never goes back: an act is stamped with the time of the model's newest event where the clock shows an earlier
//! one. So one act under a clock that is ahead moves all later acts of the model into the future too.

use std::fmt;

use serde::Serialize;

use crate::values::Timestamp;

/// Difference between an event and the clock that is not reported: the clocks of several machines differ by seconds.
pub const CLOCK_TOLERANCE_MS: i64 = 60_000;

/// An event that lies in the future of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AheadOfClock {
    /// The time of the newest event.
    pub newest_event: Timestamp,
    /// The time by the clock.
    pub clock: Timestamp,
}

impl AheadOfClock {
    /// Compares the newest event with the clock; `None` unless it is later by more than [`CLOCK_TOLERANCE_MS`].
    pub fn of(newest_event: Timestamp, clock: Timestamp) -> Option<Self> {
        let ahead = newest_event.millis().saturating_sub(clock.millis());
        (ahead > CLOCK_TOLERANCE_MS).then_some(Self { newest_event, clock })
    }
}

/// A clause about the event.
impl fmt::Display for AheadOfClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { newest_event, clock } = self;
        write!(f, "is from {newest_event}, in the future of this machine's clock ({clock})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_events_well_after_the_clock_are_ahead_of_it() {
        let at = |millis: i64| Timestamp::from_millis(millis);
        assert_eq!(AheadOfClock::of(at(0), at(0)), None);
        assert_eq!(AheadOfClock::of(at(-1), at(0)), None);
        assert_eq!(AheadOfClock::of(at(CLOCK_TOLERANCE_MS), at(0)), None);
        let found = AheadOfClock::of(at(2_208_988_800_000), at(0)).unwrap();
        insta::assert_snapshot!(found, @"is from 2040-01-01T00:00:00Z, in the future of this machine's clock (1970-01-01T00:00:00Z)");
    }
}
