//! Maximum drawdown (Magdon-Ismail, Atiya 2004).

use crate::metrics::basics::{all_finite, finite};

/// `max_t (1 − E_t / max_{u≤t} E_u)`, a fraction of 0 or more, the first equity included.
/// `None` for fewer than two values, or where the first is not above 0.
pub fn max_drawdown(equity: &[f64]) -> Option<f64> {
    if equity.len() < 2 || !all_finite(equity) || equity[0] <= 0.0 {
        return None;
    }
    let (mut peak, mut deepest) = (equity[0], 0.0_f64);
    for value in equity {
        peak = peak.max(*value);
        deepest = deepest.max(1.0 - value / peak);
    }
    finite(deepest)
}
