//! Total return (as defined by GIPS).

use crate::metrics::basics::{all_finite, finite};

/// `E_n/E_0 − 1`, a fraction. `None` for fewer than two values, or where `E_0 ≤ 0`.
pub fn total_return(equity: &[f64]) -> Option<f64> {
    let ([first, .., last], true) = (equity, all_finite(equity)) else {
        return None;
    };
    if *first <= 0.0 { None } else { finite(last / first - 1.0) }
}
