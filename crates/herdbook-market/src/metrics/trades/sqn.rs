//! System quality number (Tharp 2008, who caps N at 100; it is not capped here).

use crate::metrics::basics::mean;
use crate::metrics::basics::{NO_SPREAD, finite, sample_deviation};

/// `√N · mean / sample standard deviation` of the trades' results as fractions of the equity at entry.
/// `None` for fewer than two trades or results that do not vary.
pub fn sqn(returns_on_equity: &[f64]) -> Option<f64> {
    let deviation = sample_deviation(returns_on_equity)?;
    if deviation <= NO_SPREAD {
        return None;
    }
    finite((returns_on_equity.len() as f64).sqrt() * mean(returns_on_equity)? / deviation)
}
