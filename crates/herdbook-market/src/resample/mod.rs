//! Bringing a file's bars to the timeframe asked for.
//!
//! Bars are merged on UTC boundaries and labelled with the start of their bin. No bar is made up:
//! an empty bin stays empty, and a bar already of the right length keeps its time as it is.

mod sessions;

use herdbook_domain::Timeframe;

use crate::time::length_text;
use crate::{Bar, Bars, MarketError, RawBars, Utc};
use sessions::Sessions;

/// Merges bars into bars of `timeframe`.
///
/// Days follow the market's sessions, runs of bars with no gap of four hours or more: where all are
/// shorter than a day (a stock market), each is one day with the UTC date it opens on; otherwise
/// (forex, crypto) days are UTC days. Bars longer than the timeframe, of a length that does not
/// divide it, or that begin off the boundaries of their own length, are refused.
pub fn resample(raw: RawBars, timeframe: Timeframe) -> Result<Bars, MarketError> {
    let (target_ms, length_ms) = (timeframe.millis(), raw.bar_length_ms);
    if length_ms == target_ms {
        return Ok(Bars::from_checked(timeframe, raw.bars));
    }
    if length_ms > target_ms || target_ms % length_ms != 0 {
        let (file, found, asked) = (raw.file, length_text(length_ms), length_text(target_ms));
        return Err(if length_ms > target_ms {
            MarketError::CoarserBars { file, found, asked }
        } else {
            MarketError::UnevenBars { file, found, asked }
        });
    }
    if let Some(off) = raw.bars.iter().find(|bar| bar.open_time_ms.rem_euclid(length_ms) != 0) {
        return Err(MarketError::OffBoundary {
            file: raw.file,
            found: length_text(length_ms),
            asked: length_text(target_ms),
            at: Utc(off.open_time_ms),
        });
    }
    let on_boundary = |bar: &Bar| start_of(bar.open_time_ms, target_ms);
    let merged = match timeframe {
        Timeframe::Day1 if sessions::are_shorter_than_a_day(&raw.bars, length_ms) => {
            let mut sessions = Sessions::new(length_ms);
            merge(&raw.bars, |bar| sessions.date_of(bar))
        }
        _ => merge(&raw.bars, on_boundary),
    };
    Ok(Bars::from_checked(timeframe, merged))
}

/// Start of the bin of `length_ms` that a moment lies in.
fn start_of(at_ms: i64, length_ms: i64) -> i64 {
    at_ms.div_euclid(length_ms) * length_ms
}

/// Merges neighbours of one label into one bar.
fn merge(bars: &[Bar], mut label: impl FnMut(&Bar) -> i64) -> Vec<Bar> {
    let mut merged: Vec<Bar> = Vec::new();
    for bar in bars {
        let open_time_ms = label(bar);
        match merged.last_mut() {
            Some(last) if last.open_time_ms == open_time_ms => {
                last.high = last.high.max(bar.high);
                last.low = last.low.min(bar.low);
                last.close = bar.close;
                last.volume += bar.volume;
            }
            _ => merged.push(Bar { open_time_ms, ..*bar }),
        }
    }
    merged
}
