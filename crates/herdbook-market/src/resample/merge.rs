//! Merging of bars into longer ones.
//!
//! Bars are merged on UTC boundaries or from the start of a session, and a merged bar opens at the start of its bin. No bar is made up: an empty bin
//! stays empty. Bars that have the requested length already keep their times.

use herdbook_domain::Timeframe;

use super::bin::start_of;
use super::sessions::{self, Sessions};
use crate::bars::{Bar, Bars};
use crate::error::MarketError;
use crate::read::RawBars;
use crate::time::Utc;
use crate::time::length_text;

/// Merges bars into bars of `timeframe`.
///
/// Days follow the sessions of the market, which are runs of bars without a gap of four hours or more. Where every session
/// is shorter than a day (stocks), each session is one day with the UTC date on which it opens. Otherwise (forex, crypto)
/// days are UTC days.
///
/// Other bins begin on UTC boundaries. Where a bar would lie across such a boundary because sessions begin at half past
/// (stocks in New York), they are counted from the start of each session.
///
/// # Errors
/// - [`MarketError::CoarserBars`]: the bars are longer than the timeframe.
/// - [`MarketError::UnevenBars`]: their length does not divide the timeframe.
/// - [`MarketError::OffBoundary`]: a bar does not start on a UTC boundary of its length, and sessions last a day or longer.
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
    let has_sessions = sessions::are_shorter_than_a_day(&raw.bars, length_ms);
    let off = raw.bars.iter().find(|bar| bar.open_time_ms.rem_euclid(length_ms) != 0);
    let mut sessions = Sessions::new(length_ms);
    let merged = match (timeframe, off) {
        (Timeframe::Day1, _) if has_sessions => merge(&raw.bars, |bar| sessions.date_of(bar)),
        (_, None) => merge(&raw.bars, |bar| start_of(bar.open_time_ms, target_ms)),
        (_, Some(_)) if has_sessions => merge(&raw.bars, |bar| sessions.bin_of(bar, target_ms)),
        (_, Some(off)) => {
            return Err(MarketError::OffBoundary {
                file: raw.file,
                found: length_text(length_ms),
                asked: length_text(target_ms),
                at: Utc(off.open_time_ms),
            });
        }
    };
    Ok(Bars::from_checked(timeframe, merged))
}

/// Merges consecutive bars with the same label into one bar that opens at the label.
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
