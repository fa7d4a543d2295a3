//! Duration of the longest drawdown.

use super::all_finite;

/// Longest run of bars with equity below its highest so far, in bars.
///
/// Equity equal to its peak has recovered; a run still open counts to the last bar. The longest run
/// need not be the deepest. `None` without a return.
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
