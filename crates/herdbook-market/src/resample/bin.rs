//! Bins of time on UTC boundaries.

/// Start of the bin that holds a moment. Bins have the length `length_ms`, and one begins at 1970-01-01T00:00:00Z.
pub(super) fn start_of(at_ms: i64, length_ms: i64) -> i64 {
    at_ms.div_euclid(length_ms) * length_ms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_hold_their_start_and_not_their_end_before_1970_too() {
        assert_eq!(
            [-61, -60, -1, 0, 59, 60].map(|at| start_of(at, 60)),
            [-120, -60, -60, 0, 0, 60]
        );
    }
}
