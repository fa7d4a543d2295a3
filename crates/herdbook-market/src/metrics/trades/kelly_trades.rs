//! Kelly fraction of closed trades (Kelly 1956).

use crate::metrics::basics::finite;
use crate::metrics::trades::payoff_ratio::payoff_ratio;

/// `w − (1 − w)/R` of the results as fractions of the equity at entry, with w = wins/(wins + losses),
/// R = mean win / mean |loss|. `None` without a win or without a loss.
pub fn kelly_trades(returns_on_equity: &[f64]) -> Option<f64> {
    let payoff = payoff_ratio(returns_on_equity)?;
    let n_won = returns_on_equity.iter().filter(|result| **result > 0.0).count() as f64;
    let n_lost = returns_on_equity.iter().filter(|result| **result < 0.0).count() as f64;
    let won = n_won / (n_won + n_lost);
    finite(won - (1.0 - won) / payoff)
}
