//! The result of comparing a model's returns with doing nothing and with buying and holding.

use serde::{Deserialize, Serialize};

/// A model is evidence above this probability of beating both benchmarks.
pub const EVIDENCE_PROBABILITY: f64 = 0.95;

/// Fewer bars are no evidence. The shortest test window of a training has as many.
pub const EVIDENCE_BARS: usize = 51;

/// A result is carried by one bar or trade if the doubt without it is more than this many times the doubt that the limit
/// allows: at a limit of 0.95 if the probability without it is not above 0.90.
const TOLERATED_DOUBT: f64 = 2.0;

/// A comparison of returns per bar with those of doing nothing and of buying and holding over the same bars.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EvidenceFigures {
    /// Number of returns of each side.
    pub n_returns: usize,
    /// Number of trades, an open one included.
    pub n_trades: usize,
    /// Bars per year, to annualise the differences by its square root; `None` where unknown.
    pub bars_per_year: Option<f64>,
    /// Probability (0 to 1) that the true Sharpe ratio is above those of doing nothing and of holding, if this was the only
    /// try; `None` where it is undefined.
    pub probability: Option<f64>,
    /// Against doing nothing: the model's own Sharpe ratio.
    pub flat: Option<SharpeGap>,
    /// Against buying and holding.
    pub buy_and_hold: Option<SharpeGap>,
    /// Length of the blocks of the bootstrap, in bars.
    pub block: Option<usize>,
    /// The probability without the bar that the result rests on most; `None` where there is no probability.
    pub without_best_bar: Option<LeftOut>,
    /// The same without the trade that it rests on most.
    pub without_best_trade: Option<LeftOut>,
    /// Numbers of tries in ascending order, from 1, each with the probability if this is the best of so many.
    pub among: Vec<(u64, f64)>,
}

/// The difference of two Sharpe ratios per bar with its 90 % interval; 5 % of the probability lie on each side of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SharpeGap {
    /// The difference in the sample, positive if the model is better.
    pub difference: f64,
    /// Lower end; above 0 exactly where the probability of beating this benchmark is above 0.95.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A result without one bar or trade.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Index of the first return that is left out.
    pub first: usize,
    /// Number of returns that are left out.
    pub n_returns: usize,
    /// Probability without them; `None` where it is undefined then.
    pub probability: Option<f64>,
}

impl EvidenceFigures {
    /// The probability if the model is the best of `n_tries`; a number between two recorded ones counts as the larger, one
    /// above all as probability 0. `None` where the probability is undefined.
    pub fn probability_among(&self, n_tries: u64) -> Option<f64> {
        let single = self.probability?;
        let recorded = self.among.iter().find(|(n, _)| *n >= n_tries);
        Some(recorded.map_or(0.0, |(_, probability)| probability.min(single)))
    }

    /// Why the result rests on too little to pass `limit`, as the end of a sentence; `None` where it does not.
    pub fn carried_by(&self, limit: f64) -> Option<String> {
        let bound = 1.0 - TOLERATED_DOUBT * (1.0 - limit);
        let is_carried = |left_out: &LeftOut| left_out.probability.is_none_or(|p| p <= bound);
        let of = |left_out: Option<LeftOut>, what: &str| {
            let left_out = left_out.filter(is_carried)?;
            let without =
                left_out.probability.map_or("undefined".to_owned(), |p| format!("{p:.3}"));
            Some(format!("one {what} carries the result: without it the probability is {without}"))
        };
        of(self.without_best_bar, "bar").or_else(|| of(self.without_best_trade, "trade"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Figures of 500 returns with this probability, falling with the number of tries.
    pub(crate) fn figures(probability: f64) -> EvidenceFigures {
        let gap = SharpeGap { difference: 0.1, low: 0.01, high: 0.2 };
        let left_out =
            LeftOut { first: 7, n_returns: 1, probability: Some((probability - 0.01).max(0.0)) };
        EvidenceFigures {
            n_returns: 500,
            n_trades: 40,
            bars_per_year: Some(6_000.0),
            probability: Some(probability),
            flat: Some(gap),
            buy_and_hold: Some(gap),
            block: Some(2),
            without_best_bar: Some(left_out),
            without_best_trade: Some(left_out),
            among: vec![(1, probability), (2, probability - 0.01), (10, probability - 0.1)],
        }
    }

    #[test]
    fn number_of_tries_between_two_recorded_ones_counts_as_the_larger() {
        let found = figures(0.99);
        let among = |n| (found.probability_among(n).unwrap() * 100.0).round() as i64;
        assert_eq!([1, 2, 3, 10, 11].map(among), [99, 98, 89, 89, 0]);
        let undefined = EvidenceFigures { probability: None, ..found };
        assert_eq!(undefined.probability_among(1), None);
    }

    #[test]
    fn result_is_carried_by_one_bar_if_the_doubt_without_it_is_twice_the_limit() {
        let without = |probability| EvidenceFigures {
            without_best_bar: Some(LeftOut { first: 0, n_returns: 1, probability }),
            ..figures(0.99)
        };
        assert_eq!(without(Some(0.91)).carried_by(0.95), None);
        assert_eq!(
            without(Some(0.899)).carried_by(0.95).as_deref(),
            Some("one bar carries the result: without it the probability is 0.899")
        );
        assert_eq!(without(Some(0.899)).carried_by(0.9), None);
        assert!(without(None).carried_by(0.5).unwrap().ends_with("undefined"));
    }

    #[test]
    fn result_of_one_trade_is_carried_by_it() {
        let only = LeftOut { first: 0, n_returns: 500, probability: None };
        let found = EvidenceFigures { without_best_trade: Some(only), ..figures(0.99) };
        assert!(found.carried_by(0.95).unwrap().starts_with("one trade carries the result"));
    }
}
