//! Series of different bar lengths are compared on the longer bars.

use std::borrow::Cow;

use super::closes::Closes;

/// Longest bar on which series are compared.
const MAX_BAR_MS: i64 = 86_400_000;
/// At most this many ways to merge short bars into long ones are tried.
const MAX_PHASES: i64 = 48;

/// A way to compare two series on bars of one length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    pub(super) bar_ms: i64,
    /// Bars of the query begin so many ms after a multiple of their length. Bars of that length keep their times.
    pub(super) origin_of_query: i64,
    origin_of_reference: i64,
}

impl Way {
    pub(super) fn of_query<'a>(&self, query: &'a Closes) -> Cow<'a, Closes> {
        merged(query, self.bar_ms, self.origin_of_query)
    }

    pub(super) fn of_reference<'a>(&self, reference: &'a Closes) -> Cow<'a, Closes> {
        merged(reference, self.bar_ms, self.origin_of_reference)
    }
}

/// Every way in which the bars of the finer of two series can be merged so that both have bars of one length. The first way
/// is on the boundaries of the coarser series. Empty if they have no common length of at most a day.
pub(super) fn common(query: &Closes, reference: &Closes) -> Vec<Way> {
    let (own, other) = (query.bar_ms(), reference.bar_ms());
    if own == other {
        return vec![Way { bar_ms: own, origin_of_query: 0, origin_of_reference: 0 }];
    }
    let bar_ms = own / greatest_common_divisor(own, other) * other;
    if bar_ms > MAX_BAR_MS.max(own).max(other) || query.is_empty() || reference.is_empty() {
        return Vec::new();
    }
    let finer_ms = own.min(other);
    let n_phases = (bar_ms / finer_ms).min(MAX_PHASES);
    let coarser = if own < other { reference } else { query };
    let origin = coarser.times_ms()[0].rem_euclid(bar_ms);
    (0..n_phases)
        .map(|phase| {
            let at = origin + phase * (bar_ms / finer_ms) / n_phases * finer_ms;
            let (of_query, of_reference) = if own < other { (at, origin) } else { (origin, at) };
            Way { bar_ms, origin_of_query: of_query, origin_of_reference: of_reference }
        })
        .collect()
}

/// The bars merged into longer ones that begin `origin_ms` after a multiple of their length. Bars of that length keep
/// their times.
fn merged(closes: &Closes, bar_ms: i64, origin_ms: i64) -> Cow<'_, Closes> {
    if closes.bar_ms() == bar_ms {
        return Cow::Borrowed(closes);
    }
    let (mut times_ms, mut units) = (Vec::new(), Vec::new());
    for (at, close) in closes.times_ms().iter().zip(closes.units()) {
        let open = (at - origin_ms).div_euclid(bar_ms) * bar_ms + origin_ms;
        if times_ms.last() == Some(&open) {
            units.pop();
        } else {
            times_ms.push(open);
        }
        units.push(*close);
    }
    Cow::Owned(Closes::from_parts(bar_ms, times_ms, units))
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
