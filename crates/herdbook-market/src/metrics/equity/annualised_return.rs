//! Annualised return, or compound annual growth rate.

use crate::metrics::basics::finite;
use crate::metrics::equity::total_return::total_return;

/// `(E_n/E_0)^(B/n) − 1`, a fraction per year; −1 for a total loss.
///
/// `None` where the total return is, where `E_n < 0` (no real root), or where it would overflow. Data of less than a year
/// are extrapolated: report the number of returns with it.
pub fn annualised_return(equity: &[f64], bars_per_year: f64) -> Option<f64> {
    let growth = 1.0 + total_return(equity)?;
    let n_returns = (equity.len() - 1) as f64;
    if growth < 0.0 { None } else { finite(growth.powf(bars_per_year / n_returns) - 1.0) }
}
