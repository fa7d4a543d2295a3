//! Alignments of two series: which bar of one corresponds to which bar of the other.

use super::closes::Closes;
use super::moves::Paired;

/// Indices of corresponding bars of query and reference, both ascending.
pub(super) type Pairs = Vec<(usize, usize)>;

/// Whether the prices of one series are those of the other, or their inverse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sense {
    Same,
    Inverse,
}

/// The bars whose times differ by `shift_ms` (reference minus query), up to almost half a bar.
///
/// The tolerance allows for days that begin an hour earlier in summer.
pub(super) fn by_time(query: &Closes, reference: &Closes, shift_ms: i64) -> Pairs {
    let tolerance = (query.bar_ms() - 1) / 2;
    let times = reference.times_ms();
    let mut pairs = Pairs::new();
    let mut next = match query.times_ms().first() {
        Some(first) => times.partition_point(|at| *at < first + shift_ms - tolerance),
        None => return pairs,
    };
    for (idx, at) in query.times_ms().iter().enumerate() {
        let wanted = at + shift_ms;
        while next < times.len() && times[next] < wanted - tolerance {
            next += 1;
        }
        let Some(found) = times.get(next) else { break };
        let is_nearer = |later: &i64| (later - wanted).abs() < (found - wanted).abs();
        next += usize::from(times.get(next + 1).is_some_and(is_nearer));
        if (times[next] - wanted).abs() <= tolerance {
            pairs.push((idx, next));
            next += 1;
        }
    }
    pairs
}

/// The bars whose positions differ by `offset` (reference minus query).
pub(super) fn by_position(query: &Closes, reference: &Closes, offset: i64) -> Pairs {
    let counterpart = |idx: usize| {
        let position = usize::try_from(i64::try_from(idx).ok()? + offset).ok()?;
        (position < reference.len()).then_some((idx, position))
    };
    (0..query.len()).filter_map(counterpart).collect()
}

/// The prices of paired bars.
pub(super) fn prices(query: &Closes, reference: &Closes, pairs: &Pairs, sense: Sense) -> Paired {
    let sign = if sense == Sense::Same { 1 } else { -1 };
    Paired {
        query: pairs.iter().map(|(idx, _)| query.units()[*idx]).collect(),
        reference: pairs.iter().map(|(_, idx)| sign * reference.units()[*idx]).collect(),
    }
}
