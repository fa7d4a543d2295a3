//! How long a file's bars are.

use std::collections::BTreeMap;

use crate::time::length_text;
use crate::{Bar, MarketError, Utc};

/// One step in this many may be shorter than the bar length, as where clocks change; more, and
/// the bars have no one length.
const MAX_SHORTER: usize = 100;

/// The time that most often lies between two bars; of equally frequent ones the shortest.
pub(super) fn infer(bars: &[Bar], file: &str) -> Result<i64, MarketError> {
    let mut counts = BTreeMap::new();
    for (at, step_ms) in steps(bars) {
        let (count, _) = counts.entry(step_ms).or_insert((0_usize, at));
        *count += 1;
    }
    // The last of equals wins, so the shortest comes last.
    let common = counts.iter().rev().max_by_key(|(_, (count, _))| *count);
    let Some((&length_ms, _)) = common else {
        return Err(match bars {
            [] => MarketError::OnlyHeader { file: file.to_owned() },
            _ => MarketError::SingleBar { file: file.to_owned() },
        });
    };
    let n_shorter: usize = counts.range(..length_ms).map(|(_, (count, _))| count).sum();
    if n_shorter * MAX_SHORTER <= bars.len() {
        return Ok(length_ms);
    }
    let at = counts.range(..length_ms).map(|(_, (_, at))| *at).min().unwrap_or_default();
    let common = length_text(length_ms);
    Err(MarketError::IrregularBars { file: file.to_owned(), common, n_shorter, at: Utc(at) })
}

/// When each bar after the first opens, and how long after the one before.
fn steps(bars: &[Bar]) -> impl Iterator<Item = (i64, i64)> {
    bars.windows(2).map(|pair| {
        let at = pair[1].open_time_ms;
        (at, at - pair[0].open_time_ms)
    })
}
