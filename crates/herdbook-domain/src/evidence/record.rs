//! All bars on which a model was evaluated since its training, as one record.

use serde::{Deserialize, Serialize};

use super::figures::EvidenceFigures;
use super::windows::Window;

/// Looks at a growing record count as one plus this times the logarithm of its growth. The largest of many studentised means
/// of a growing sample is that of about so many independent ones: for growth by 2, 10 and 100 the exact numbers are 1.9,
/// 3.2 and 5.0.
const LOOKS_PER_LOG_GROWTH: f64 = 1.5;

/// The joined returns of a model on later bars. Each bar counts once: of two evaluations the first one's return is taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EvidenceRecord {
    /// The windows of the joined evaluations, in the order of time, without overlap.
    pub windows: Vec<Window>,
    /// SHA-256 of the returns of the joined evaluations, oldest evaluation first.
    pub joined: Vec<String>,
    /// How often the record was looked at.
    pub looks: Looks,
    /// The comparison over all joined bars.
    pub figures: EvidenceFigures,
}

/// Looks at a record that grew between them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Looks {
    /// Number of evaluations that added bars.
    pub n_grown: usize,
    /// Number of returns in the record after the first of them.
    pub n_first: usize,
    /// Number of returns now.
    pub n_now: usize,
    /// Number of other evaluations: those that are no evidence, such as those with too low costs.
    pub n_apart: usize,
}

impl Looks {
    /// The number of tries that the looks count as.
    pub fn as_tries(self) -> f64 {
        let growth = self.n_now as f64 / (self.n_first.max(1)) as f64;
        let grown = 1.0 + LOOKS_PER_LOG_GROWTH * growth.max(1.0).ln();
        grown.min(self.n_grown as f64) + self.n_apart as f64
    }
}

/// Windows as a set of times: sorted, and joined where they touch or overlap.
pub fn union_of_windows(windows: impl IntoIterator<Item = Window>) -> Vec<Window> {
    let mut sorted: Vec<Window> = windows.into_iter().filter(|w| w.start < w.end).collect();
    sorted.sort_by_key(|window| window.start);
    let mut union: Vec<Window> = Vec::new();
    for window in sorted {
        match union.last_mut() {
            Some(last) if window.start <= last.end => last.end = last.end.max(window.end),
            _ => union.push(window),
        }
    }
    union
}

/// The fraction of the time of `known` that `covered` has too; 1 for no known time. Both must be [`union_of_windows`].
pub(super) fn covered_share(known: &[Window], covered: &[Window]) -> f64 {
    let length = |window: &Window| (window.end.millis() - window.start.millis()) as f64;
    let total: f64 = known.iter().map(length).sum();
    if total <= 0.0 {
        return 1.0;
    }
    let mut common = 0.0;
    for one in known {
        for other in covered {
            let both = Window { start: one.start.max(other.start), end: one.end.min(other.end) };
            common += length(&both).max(0.0);
        }
    }
    common / total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Timestamp;

    fn window(start: i64, end: i64) -> Window {
        Window { start: Timestamp::from_millis(start), end: Timestamp::from_millis(end) }
    }

    #[test]
    fn looks_count_by_growth_but_never_more_than_there_were() {
        let looks = |n_grown, n_first, n_now, n_apart| {
            Looks { n_grown, n_first, n_now, n_apart }.as_tries()
        };
        assert!((looks(1, 500, 500, 0) - 1.0).abs() < 1e-12);
        assert!((looks(2, 100, 10_000, 0) - 2.0).abs() < 1e-12);
        assert!((looks(1_000, 100, 1_000, 0) - 4.454).abs() < 1e-3);
        assert!((looks(1, 500, 500, 3) - 4.0).abs() < 1e-12);
        assert!(looks(0, 0, 0, 0).abs() < 1e-12);
    }

    #[test]
    fn windows_join_where_they_touch() {
        let union = union_of_windows([window(5, 9), window(0, 2), window(2, 4), window(6, 7)]);
        assert_eq!(union, [window(0, 4), window(5, 9)]);
        assert_eq!(union_of_windows([window(3, 3)]), []);
    }

    #[test]
    fn share_of_known_time_that_is_covered() {
        let known = [window(0, 10), window(20, 30)];
        assert!((covered_share(&known, &[window(5, 25)]) - 0.5).abs() < 1e-12);
        assert!((covered_share(&known, &[window(0, 40)]) - 1.0).abs() < 1e-12);
        assert!(covered_share(&known, &[]).abs() < 1e-12);
        assert!((covered_share(&[], &[]) - 1.0).abs() < 1e-12);
    }
}
