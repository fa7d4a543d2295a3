//! The length of the bars of a file.

use std::collections::BTreeMap;

use crate::bars::Bar;
use crate::error::MarketError;
use crate::time::Utc;
use crate::time::length_text;

/// Bars of a day or more may be an hour closer together, where clocks are set forward.
const DAY_MS: i64 = 86_400_000;
const CLOCK_CHANGE_MS: i64 = 3_600_000;

/// This many consecutive steps other than the bar length belong to bars of another length …
const OTHER_LENGTH_STEPS: usize = 100;
/// … if at least this share of them is equal.
const OTHER_LENGTH_SHARE: f64 = 0.6;

/// How often each step between two bars occurs, and the first bar after it.
type StepCounts = BTreeMap<i64, (usize, i64)>;

/// The most frequent step between two bars in milliseconds, and the shortest of equally frequent ones.
///
/// # Errors
/// Fewer than two bars.
pub(super) fn most_frequent(bars: &[Bar], file: &str) -> Result<i64, MarketError> {
    // `max_by_key` returns the last of equal candidates, so the shortest step comes last.
    let counts = step_counts(bars);
    let common = counts.iter().rev().max_by_key(|(_, (count, _))| *count);
    common.map(|(length_ms, _)| *length_ms).ok_or_else(|| match bars {
        [] => MarketError::OnlyHeader { file: file.to_owned() },
        _ => MarketError::SingleBar { file: file.to_owned() },
    })
}

/// The length of the bars, which is the most frequent step between two of them.
///
/// # Errors
/// Fewer than two bars, steps shorter than the result, or a long part with bars of another length.
pub(super) fn infer(bars: &[Bar], file: &str) -> Result<i64, MarketError> {
    let length_ms = most_frequent(bars, file)?;
    let counts = step_counts(bars);
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
    match part_of_another_length(bars, length_ms) {
        Some((at, found_ms)) => Err(MarketError::MixedLengths {
            file: file.to_owned(),
            common: length_text(length_ms),
            found: length_text(found_ms),
            at: Utc(at),
        }),
        None => Ok(length_ms),
    }
}

/// The start of a long part of the file in which no two bars are `length_ms` apart, but most are equally far apart; and
/// that distance. Nights and missing bars do not form such a part.
fn part_of_another_length(bars: &[Bar], length_ms: i64) -> Option<(i64, i64)> {
    let mut part = Vec::with_capacity(OTHER_LENGTH_STEPS);
    for (at, step_ms) in steps(bars) {
        if step_ms == length_ms {
            part.clear();
            continue;
        }
        part.push((at, step_ms));
        if part.len() == OTHER_LENGTH_STEPS {
            let alike = |wanted: i64| part.iter().filter(|(_, step)| *step == wanted).count();
            let found = part.iter().map(|(_, step)| *step).max_by_key(|step| alike(*step))?;
            if alike(found) as f64 >= OTHER_LENGTH_SHARE * OTHER_LENGTH_STEPS as f64 {
                return Some((part[0].0, found));
            }
            part.clear();
        }
    }
    None
}

fn step_counts(bars: &[Bar]) -> StepCounts {
    let mut counts = StepCounts::new();
    let mut add = |step_ms: i64, n: usize, at: i64| counts.entry(step_ms).or_insert((0, at)).0 += n;
    // Most steps equal the one before: a run of them is one look-up.
    let mut run: Option<(i64, usize, i64)> = None;
    for (at, step_ms) in steps(bars) {
        match &mut run {
            Some((same_ms, n, _)) if *same_ms == step_ms => *n += 1,
            _ => {
                if let Some((same_ms, n, first)) = run.replace((step_ms, 1, at)) {
                    add(same_ms, n, first);
                }
            }
        }
    }
    if let Some((step_ms, n, at)) = run {
        add(step_ms, n, at);
    }
    counts
}

/// The opening time of each bar after the first, and its distance from the bar before.
fn steps(bars: &[Bar]) -> impl Iterator<Item = (i64, i64)> {
    bars.windows(2).map(|pair| {
        let at = pair[1].open_time_ms;
        (at, at - pair[0].open_time_ms)
    })
}
