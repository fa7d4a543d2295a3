//! How long positions are held.

use herdbook_market::Position;

/// Mean number of bars from the entry to the exit of a position; one that is still held counts up to the last bar. `None`
/// without a position.
pub(crate) fn mean_holding_bars(positions: &[Position]) -> Option<f64> {
    let held = positions.chunk_by(|a, b| a == b).filter(|run| run[0] != Position::Flat);
    let (n_held, n_bars) =
        held.fold((0_usize, 0_usize), |(n, bars), run| (n + 1, bars + run.len()));
    (n_held > 0).then(|| n_bars as f64 / n_held as f64)
}

#[cfg(test)]
mod tests {
    use Position::{Flat, Long, Short};

    use super::*;

    #[test]
    fn holding_time_is_the_mean_length_of_positions() {
        assert_eq!(
            mean_holding_bars(&[Flat, Long, Long, Long, Short, Flat, Short]),
            Some(5.0 / 3.0)
        );
        assert_eq!(mean_holding_bars(&[Flat, Flat]), None);
        assert_eq!(mean_holding_bars(&[]), None);
    }
}
