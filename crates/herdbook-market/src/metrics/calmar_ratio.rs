//! Calmar ratio (Young 1991, over 36 months there, over the whole period here).

use super::{annualised_return, finite, max_drawdown};

/// `annualised return / maximum drawdown`, per year. `None` where either is, or without a drawdown.
pub fn calmar_ratio(equity: &[f64], bars_per_year: f64) -> Option<f64> {
    let drawdown = max_drawdown(equity)?;
    if drawdown <= 0.0 {
        None
    } else {
        finite(annualised_return(equity, bars_per_year)? / drawdown)
    }
}
