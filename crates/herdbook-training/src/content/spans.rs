//! Sets of moments, as spans of time.

use herdbook_domain::Window;

/// A set of moments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Spans {
    /// Start and end of each span in ms, ascending and disjoint.
    spans: Vec<(i64, i64)>,
}

impl FromIterator<(i64, i64)> for Spans {
    fn from_iter<T: IntoIterator<Item = (i64, i64)>>(spans: T) -> Self {
        let mut sorted: Vec<(i64, i64)> = spans.into_iter().collect();
        sorted.sort_unstable();
        let mut spans: Vec<(i64, i64)> = Vec::new();
        for (start, end) in sorted {
            match spans.last_mut() {
                Some((_, last)) if start <= *last => *last = end.max(*last),
                _ => spans.push((start, end)),
            }
        }
        Self { spans }
    }
}

impl Spans {
    /// Whether a moment of the window is in the set.
    pub(crate) fn overlaps(&self, window: Window) -> bool {
        let (start, end) = (window.start.millis(), window.end.millis());
        let first = self.spans.partition_point(|(_, span_end)| *span_end <= start);
        self.spans.get(first).is_some_and(|(span_start, _)| *span_start < end)
    }
}

#[cfg(test)]
mod tests {
    use herdbook_domain::Timestamp;

    use super::*;

    #[test]
    fn spans_are_joined_and_half_open() {
        let spans: Spans = [(40, 50), (0, 10), (10, 20), (15, 18)].into_iter().collect();
        assert_eq!(spans.spans, [(0, 20), (40, 50)]);
        let at = Timestamp::from_millis;
        let overlaps = |start, end| spans.overlaps(Window { start: at(start), end: at(end) });
        assert!(overlaps(19, 20) && overlaps(30, 41) && overlaps(-5, 100));
        assert!(!overlaps(20, 40) && !overlaps(50, 60) && !overlaps(-5, 0));
    }
}
