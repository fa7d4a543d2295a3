//! Alignments of two series: which bar of one corresponds to which bar of the other.

use super::closes::Closes;
use super::moves::Paired;

/// Indices of corresponding bars of query and reference, both ascending.
#[derive(Debug, PartialEq)]
pub(super) enum Pairs {
    /// Consecutive bars of both, from these on.
    Run {
        first: usize,
        first_of_reference: usize,
        len: usize,
    },
    Listed(Vec<(usize, usize)>),
}

impl Pairs {
    fn run(query: &Closes, reference: &Closes, first: usize, first_of_reference: usize) -> Self {
        let rest = |closes: &Closes, first: usize| closes.len().saturating_sub(first);
        let len = rest(query, first).min(rest(reference, first_of_reference));
        Self::Run { first, first_of_reference, len }
    }

    /// The indices of the pair at a position.
    pub(super) fn at(&self, idx: usize) -> (usize, usize) {
        match self {
            Self::Run { first, first_of_reference, .. } => (first + idx, first_of_reference + idx),
            Self::Listed(pairs) => pairs[idx],
        }
    }

    /// The difference of positions if these are all the pairs that [`by_position`] finds at it.
    pub(super) fn offset(&self) -> Option<i64> {
        match self {
            Self::Run { first, first_of_reference, .. } => {
                Some(*first_of_reference as i64 - *first as i64)
            }
            Self::Listed(_) => None,
        }
    }
}

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
    run_by_time(query, reference, shift_ms)
        .unwrap_or_else(|| Pairs::Listed(listed_by_time(query, reference, shift_ms)))
}

/// The pairs by time if all bars from the first common one on have exactly equal times. Then no search is needed.
fn run_by_time(query: &Closes, reference: &Closes, shift_ms: i64) -> Option<Pairs> {
    let (own, other) = (query.times_ms(), reference.times_ms());
    let begin = own.first()? + shift_ms;
    let first = own.partition_point(|at| at + shift_ms < *other.first().unwrap_or(&i64::MAX));
    let first_of_reference = other.partition_point(|at| *at < begin);
    let pairs = Pairs::run(query, reference, first, first_of_reference);
    let Pairs::Run { len, .. } = pairs else { return None };
    let common = own.get(first..first + len)?.iter().zip(&other[first_of_reference..]);
    let is_equal = len > 0 && common.into_iter().all(|(at, found)| at + shift_ms == *found);
    // A bar just before the first common one could be as near to it.
    let is_apart = |times: &[i64], first: usize| {
        first == 0 || times[first] - times[first - 1] > tolerance_ms(query)
    };
    (is_equal && is_apart(own, first) && is_apart(other, first_of_reference)).then_some(pairs)
}

fn tolerance_ms(query: &Closes) -> i64 {
    (query.bar_ms() - 1) / 2
}

fn listed_by_time(query: &Closes, reference: &Closes, shift_ms: i64) -> Vec<(usize, usize)> {
    let tolerance = tolerance_ms(query);
    let times = reference.times_ms();
    let mut pairs = Vec::new();
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
    let part = |offset: i64| usize::try_from(offset).unwrap_or(0);
    Pairs::run(query, reference, part(-offset), part(offset))
}

/// The prices of paired bars.
pub(super) fn prices(query: &Closes, reference: &Closes, pairs: &Pairs, sense: Sense) -> Paired {
    let sign = if sense == Sense::Same { 1 } else { -1 };
    let (own, other) = (query.units(), reference.units());
    match pairs {
        Pairs::Run { first, first_of_reference, len } => Paired {
            query: own.iter().skip(*first).take(*len).copied().collect(),
            reference: other
                .iter()
                .skip(*first_of_reference)
                .take(*len)
                .map(|it| sign * it)
                .collect(),
        },
        Pairs::Listed(pairs) => Paired {
            query: pairs.iter().map(|(idx, _)| own[*idx]).collect(),
            reference: pairs.iter().map(|(_, idx)| sign * other[*idx]).collect(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closes(times_ms: &[i64]) -> Closes {
        let units = (0..times_ms.len() as i64).collect();
        Closes::from_parts(10, times_ms.to_vec(), units)
    }

    #[test]
    fn equal_times_are_paired_as_by_the_search() {
        let regular: Vec<i64> = (0..50).map(|idx| 10 * idx).collect();
        let gappy: Vec<i64> = regular.iter().copied().filter(|at| at % 70 != 30).collect();
        let close: Vec<i64> = [vec![0, 4, 8], regular[2..].to_vec()].concat();
        let series = [regular, gappy, close, Vec::new()].map(|times| closes(&times));
        for query in &series {
            for reference in &series {
                for shift_ms in [-600, -490, -200, -43, -4, 0, 3, 10, 12, 250, 490, 700] {
                    let listed = listed_by_time(query, reference, shift_ms);
                    let found = by_time(query, reference, shift_ms);
                    let n = prices(query, reference, &found, Sense::Same).len();
                    assert_eq!((0..n).map(|idx| found.at(idx)).collect::<Vec<_>>(), listed);
                }
            }
        }
        assert!(by_time(&series[0], &series[0], 100).offset().is_some());
        assert!(by_time(&series[0], &series[1], 0).offset().is_none());
    }
}
