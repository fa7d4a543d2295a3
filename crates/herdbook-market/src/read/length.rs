//! How long a file's bars are.

use std::collections::BTreeMap;

use crate::time::length_text;
use crate::{Bar, MarketError, Utc};

/// Clocks that change make a day an hour shorter; no other step may be shorter than the bars.
const DAY_MS: i64 = 86_400_000;
const CLOCK_CHANGE_MS: i64 = 3_600_000;

/// So many steps in a row without one of the bar length, most of them alike, are bars of another length.
const FOREIGN_STEPS: usize = 100;
const FOREIGN_SHARE: f64 = 0.6;

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
    let shortest_ms = if length_ms >= DAY_MS { length_ms - CLOCK_CHANGE_MS } else { length_ms };
    let n_shorter: usize = counts.range(..shortest_ms).map(|(_, (count, _))| count).sum();
    if n_shorter > 0 {
        let at = counts.range(..shortest_ms).map(|(_, (_, at))| *at).min().unwrap_or_default();
        let common = length_text(length_ms);
        return Err(MarketError::IrregularBars {
            file: file.to_owned(),
            common,
            n_shorter,
            at: Utc(at),
        });
    }
    match foreign_stretch(bars, length_ms) {
        Some((at, found_ms)) => Err(MarketError::MixedLengths {
            file: file.to_owned(),
            common: length_text(length_ms),
            found: length_text(found_ms),
            at: Utc(at),
        }),
        None => Ok(length_ms),
    }
}

/// Where bars of another length begin, and that length: a long stretch in which no two bars lie the common length
/// apart, but most lie another one apart. Nights and missing bars do not make such a stretch.
fn foreign_stretch(bars: &[Bar], length_ms: i64) -> Option<(i64, i64)> {
    let mut stretch = Vec::with_capacity(FOREIGN_STEPS);
    for (at, step_ms) in steps(bars) {
        if step_ms == length_ms {
            stretch.clear();
            continue;
        }
        stretch.push((at, step_ms));
        if stretch.len() == FOREIGN_STEPS {
            let alike = |wanted: i64| stretch.iter().filter(|(_, step)| *step == wanted).count();
            let found = stretch.iter().map(|(_, step)| *step).max_by_key(|step| alike(*step))?;
            if alike(found) as f64 >= FOREIGN_SHARE * FOREIGN_STEPS as f64 {
                return Some((stretch[0].0, found));
            }
            stretch.clear();
        }
    }
    None
}

/// When each bar after the first opens, and how long after the one before.
fn steps(bars: &[Bar]) -> impl Iterator<Item = (i64, i64)> {
    bars.windows(2).map(|pair| {
        let at = pair[1].open_time_ms;
        (at, at - pair[0].open_time_ms)
    })
}
