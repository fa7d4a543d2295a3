//! Bars that are stamped at their close: recognised, asked about, and moved to their open.

use super::options::BarStamp;
use crate::bars::Bar;
use crate::error::MarketError;
use crate::time::{Utc, length_text};

const MINUTE_MS: i64 = 60_000;
const HALF_HOUR_MS: i64 = 30 * MINUTE_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 86_400_000;
/// Days in places with summer time are an hour shorter or longer than 24 hours.
const CLOCK_CHANGE_MS: i64 = HOUR_MS;
/// A gap of this length ends a session.
const MIN_GAP_MS: i64 = 4 * HOUR_MS;
/// So many sessions must agree before they show anything.
const MIN_SESSIONS: usize = 5;

/// Moves bars from their close to their open, if they are stamped at the close. Returns a remark if the file itself shows it.
///
/// # Errors
/// [`MarketError::UnclearStamp`] if the sessions look as if bars were stamped at their close, and nothing else says so.
pub(super) fn settle(
    bars: &mut [Bar],
    length_ms: i64,
    known: Option<BarStamp>,
    file: &str,
) -> Result<Option<String>, MarketError> {
    match known {
        Some(BarStamp::Open) => Ok(None),
        Some(BarStamp::Close) => {
            to_opens(bars, 0, length_ms);
            Ok(Some("bars are stamped at their close".to_owned()))
        }
        None => match last_moment(bars) {
            Some(missing_ms) => {
                to_opens(bars, missing_ms, length_ms);
                Ok(Some("bars are stamped at their last moment (second 59)".to_owned()))
            }
            None => sessions_agree(bars, length_ms, file).map(|()| None),
        },
    }
}

/// If every bar is stamped at the last second or millisecond of a minute, the time from there to its close.
fn last_moment(bars: &[Bar]) -> Option<i64> {
    let missing = |bar: &Bar| MINUTE_MS - bar.open_time_ms.rem_euclid(MINUTE_MS);
    let first = missing(bars.first()?);
    ((1..=1_000).contains(&first) && bars.len() > 1 && bars.iter().all(|bar| missing(bar) == first))
        .then_some(first)
}

/// Moves bars from `missing_ms` before their close to their open. A bar opens at the close of the bar before it if that is
/// later than a whole length before its own close (the last, shorter bar of a session), or where a day has another length
/// because clocks were changed.
fn to_opens(bars: &mut [Bar], missing_ms: i64, length_ms: i64) {
    let mut previous_close = i64::MIN / 2;
    for bar in bars {
        let close = bar.open_time_ms + missing_ms;
        let usual = close - length_ms;
        let is_long_day = length_ms >= DAY_MS && (usual - previous_close).abs() <= CLOCK_CHANGE_MS;
        bar.open_time_ms = if is_long_day { previous_close } else { usual.max(previous_close) };
        previous_close = close;
    }
}

/// Refuses bars whose sessions begin one bar after a half hour and end on one: an exchange opens at 09:30, so a first bar
/// of 09:31 is stamped at its close.
fn sessions_agree(bars: &[Bar], length_ms: i64, file: &str) -> Result<(), MarketError> {
    if length_ms >= HALF_HOUR_MS || length_ms % MINUTE_MS != 0 {
        return Ok(());
    }
    let sessions = sessions(bars);
    let is_late = |(begin, end): &&(i64, i64)| {
        begin.rem_euclid(HALF_HOUR_MS) == length_ms && end.rem_euclid(HALF_HOUR_MS) == 0
    };
    let Some(example) = sessions.iter().find(is_late) else { return Ok(()) };
    // Clocks change by whole hours.
    let minutes = |(begin, end): &(i64, i64)| (begin.rem_euclid(HOUR_MS), end.rem_euclid(HOUR_MS));
    let n_alike = sessions.iter().filter(|session| minutes(session) == minutes(example)).count();
    if n_alike < MIN_SESSIONS || 3 * n_alike < 2 * sessions.len() {
        return Ok(());
    }
    Err(MarketError::UnclearStamp {
        file: file.to_owned(),
        length: length_text(length_ms),
        begin: Utc(example.0),
        end: Utc(example.1),
    })
}

/// The times of the first and last bar of each session.
fn sessions(bars: &[Bar]) -> Vec<(i64, i64)> {
    let mut sessions: Vec<(i64, i64)> = Vec::new();
    for bar in bars {
        match sessions.last_mut() {
            Some((_, end)) if bar.open_time_ms - *end < MIN_GAP_MS => *end = bar.open_time_ms,
            _ => sessions.push((bar.open_time_ms, bar.open_time_ms)),
        }
    }
    sessions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: &[i64]) -> Vec<Bar> {
        let bar = |minute: &i64| Bar {
            open_time_ms: minute * MINUTE_MS,
            open: 1.0,
            high: 1.0,
            low: 1.0,
            close: 1.0,
            volume: 0.0,
        };
        minutes.iter().map(bar).collect()
    }

    fn opens(mut bars: Vec<Bar>, length: i64, known: Option<BarStamp>) -> Vec<i64> {
        settle(&mut bars, length * MINUTE_MS, known, "a.csv").unwrap();
        bars.iter().map(|bar| bar.open_time_ms / MINUTE_MS).collect()
    }

    #[test]
    fn bars_move_from_their_close_to_their_open() {
        assert_eq!(opens(at(&[60, 120, 180]), 60, Some(BarStamp::Close)), [0, 60, 120]);
        assert_eq!(opens(at(&[60, 120, 180]), 60, Some(BarStamp::Open)), [60, 120, 180]);
        assert_eq!(opens(at(&[60, 120, 180]), 60, None), [60, 120, 180]);
        // The last bar of the session is shorter.
        assert_eq!(
            opens(at(&[60, 120, 150, 1_500]), 60, Some(BarStamp::Close)),
            [0, 60, 120, 1_440]
        );
        // The second day has 23 hours, the fourth 25.
        let days = at(&[1_440, 2_820, 4_260, 5_760]);
        assert_eq!(opens(days, 1_440, Some(BarStamp::Close)), [0, 1_440, 2_820, 4_260]);
    }

    #[test]
    fn last_second_and_last_millisecond_are_the_close() {
        for missing_ms in [1, 1_000] {
            let mut bars = at(&[1_440, 2_880, 4_320]);
            for bar in &mut bars {
                bar.open_time_ms -= missing_ms;
            }
            assert_eq!(opens(bars, 1_440, None), [0, 1_440, 2_880]);
        }
    }

    #[test]
    fn sessions_that_begin_a_bar_late_are_asked_about() {
        let sessions = |begin: i64, end: i64| -> Vec<Bar> {
            let session = |day: i64| (begin..=end).map(move |minute| day * 1_440 + minute);
            at(&(0..5).flat_map(session).collect::<Vec<_>>())
        };
        let refused = |mut bars: Vec<Bar>| settle(&mut bars, MINUTE_MS, None, "a.csv").is_err();
        assert!(refused(sessions(571, 960)));
        assert!(!refused(sessions(570, 959)));
        assert!(!refused(sessions(570, 960)));
        assert!(!refused(sessions(571, 959)));
    }
}
