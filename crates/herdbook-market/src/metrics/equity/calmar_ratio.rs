//! Calmar ratio (Young 1991, who uses 36 months; here it is over the whole period).

use crate::metrics::basics::finite;
use crate::metrics::equity::annualised_return::annualised_return;
use crate::metrics::equity::max_drawdown::max_drawdown;

/// `annualised return / maximum drawdown`, per year. `None` where either is undefined, or the drawdown is 0.
pub fn calmar_ratio(equity: &[f64], bars_per_year: f64) -> Option<f64> {
    let drawdown = max_drawdown(equity)?;
    if drawdown <= 0.0 {
        None
    } else {
        finite(annualised_return(equity, bars_per_year)? / drawdown)
    }
}
