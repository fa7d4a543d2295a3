//! Duration of the longest drawdown.

use crate::metrics::basics::all_finite;

/// Longest run of bars with an equity below its highest value so far, in bars.
///
/// An equity equal to that value ends a run, and a run that is not over counts up to the last bar. The longest drawdown
/// need not be the deepest one. `None` for fewer than two values.
pub fn max_drawdown_duration(equity: &[f64]) -> Option<usize> {
    if equity.len() < 2 || !all_finite(equity) {
        return None;
    }
    let (mut peak, mut run, mut longest) = (equity[0], 0, 0);
    for value in equity {
        run = if *value < peak { run + 1 } else { 0 };
        peak = peak.max(*value);
        longest = longest.max(run);
    }
    Some(longest)
}
