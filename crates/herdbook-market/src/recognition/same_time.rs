//! Comparison of two series at the same times: whether they can be of one instrument.

use super::alignment::{Sense, by_time, prices};
use super::closes::Closes;
use super::common_grid::common;
use super::moves::{AGREEMENT, HORIZONS, Paired};

/// From this difference of one-bar returns on, a short overlap contradicts. Independent returns differ by 1.4.
const CONTRADICTION: f64 = 0.8;
/// Long returns of one instrument on two markets agree better than short ones; those of two instruments do not. From this
/// difference of the longest returns on, an overlap contradicts if the short ones agree no worse.
const LONG_CONTRADICTION: f64 = 0.35;
/// The share of the difference of one-bar returns that long ones must reach to agree no better.
const NO_BETTER: f64 = 0.7;
/// Horizon from which on returns are long.
const LONG: usize = 16;

/// The result of a comparison of two series at the same times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SameTime {
    /// They have too few moving bars in common to compare.
    Unknown,
    /// They show the same moves: correlation above 0.995 on some horizon.
    Agree,
    /// They are similar, such as one instrument on two markets.
    Similar,
    /// They are of different instruments, or the times of one are wrong. `difference` is the mean absolute difference of
    /// their returns as a share of the mean absolute return.
    Contradict {
        /// About `sqrt(2 (1 - correlation))`.
        difference: f64,
    },
}

/// Compares two series at the same times. Series of different bar lengths are compared on the longer bars.
pub fn compare_at_same_time(query: &Closes, reference: &Closes) -> SameTime {
    let Some(way) = common(query, reference).into_iter().next() else {
        return SameTime::Unknown;
    };
    let (query, reference) = (way.of_query(query), way.of_reference(reference));
    let pairs = by_time(&query, &reference, 0);
    judge(&prices(&query, &reference, &pairs, Sense::Same))
}

fn judge(paired: &Paired) -> SameTime {
    let differences: Vec<(usize, f64)> = HORIZONS
        .into_iter()
        .filter_map(|horizon| Some((horizon, paired.difference(horizon)?)))
        .collect();
    let (Some((_, first)), Some((longest, last))) = (differences.first(), differences.last())
    else {
        return SameTime::Unknown;
    };
    let least = differences.iter().map(|(_, it)| *it).fold(f64::INFINITY, f64::min);
    if least <= AGREEMENT {
        return SameTime::Agree;
    }
    let is_long = *longest >= LONG && *last >= LONG_CONTRADICTION && *last >= NO_BETTER * first;
    if is_long || least >= CONTRADICTION {
        SameTime::Contradict { difference: *first }
    } else {
        SameTime::Similar
    }
}
