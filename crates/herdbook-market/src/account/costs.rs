//! Trading costs.

use serde::{Deserialize, Serialize};

use crate::error::MarketError;

/// One basis point.
const BASIS_POINT: f64 = 1e-4;

/// Trading costs as a fraction of the traded notional, charged on entry and on exit.
///
/// ```
/// use herdbook_market::CostModel;
///
/// assert_eq!(CostModel::from_bps(2.5)?.bps(), 2.5);
/// assert!(CostModel::from_bps(-1.0).is_err());
/// # Ok::<(), herdbook_market::MarketError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CostModel {
    bps: f64,
}

impl CostModel {
    /// No costs, for figures that are marked as such.
    pub const FREE: Self = Self { bps: 0.0 };

    /// Largest permitted costs. A round trip costs about a fifth of the equity then; more is certainly a wrong unit.
    const MAX_BPS: f64 = 1_000.0;

    /// Costs of `bps` basis points (1e-4) of the traded notional per side.
    ///
    /// # Errors
    /// [`MarketError::InvalidCosts`] unless `bps` is between 0 and 1000.
    pub fn from_bps(bps: f64) -> Result<Self, MarketError> {
        if (0.0..=Self::MAX_BPS).contains(&bps) {
            Ok(Self { bps })
        } else {
            Err(MarketError::InvalidCosts { bps })
        }
    }

    /// Basis points per side.
    pub fn bps(self) -> f64 {
        self.bps
    }

    /// The largest notional that can be bought with an equity, costs included, without borrowing.
    pub(super) fn affordable(self, equity: f64) -> f64 {
        equity / (1.0 + self.bps * BASIS_POINT)
    }

    /// Costs of trading a notional, in the same currency.
    pub(super) fn of(self, notional: f64) -> f64 {
        notional * (self.bps * BASIS_POINT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_outside_the_possible_are_refused() {
        for bps in [-1.0, 1_000.1, f64::NAN, f64::INFINITY] {
            assert!(CostModel::from_bps(bps).is_err(), "{bps}");
        }
        assert_eq!(
            CostModel::from_bps(-1.0).unwrap_err().to_string(),
            "costs of `-1` basis points per side are not between 0 and 1000"
        );
    }
}
