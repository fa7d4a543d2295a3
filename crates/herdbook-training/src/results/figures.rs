//! The figures that evidence rests on, from the returns of a model and of holding over the same bars.

use std::ops::Range;

use herdbook_domain::{EvidenceFigures, LeftOut, SharpeGap};
use herdbook_market::Ledger;
use herdbook_market::metrics::{LeaveOut, SharpeComparison, SharpeDifference, returns};

/// Numbers of tries for which the probability is recorded.
const TRIES: [u32; 42] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 25, 30, 35, 40, 45, 50, 60, 70, 80, 90, 100,
    120, 150, 200, 250, 300, 400, 500, 700, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 100_000,
    1_000_000,
];
/// The list of tries ends below this probability.
const NO_MORE: f64 = 0.01;

/// Returns per bar, as fractions, of a model and of holding, and the model's position during each bar: -1 short, 0 flat,
/// 1 long.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct PairedReturns {
    pub(crate) model: Vec<f64>,
    pub(crate) holding: Vec<f64>,
    pub(crate) positions: Vec<f64>,
}

impl PairedReturns {
    /// The returns of two accounts over the same bars. After a ruin an account earns nothing.
    pub(crate) fn of(model: &Ledger, holding: &Ledger) -> Self {
        let n_bars = model.equity().len().max(holding.equity().len()) - 1;
        let padded = |ledger: &Ledger| {
            let mut returns = returns(ledger.equity()).unwrap_or_default();
            returns.resize(n_bars, 0.0);
            returns
        };
        let sides = model.positions()[1..].iter().map(|position| position.sign());
        let mut positions: Vec<f64> = sides.collect();
        positions.resize(n_bars, 0.0);
        Self { model: padded(model), holding: padded(holding), positions }
    }

    /// The bars of each trade: those with the position, and the bar in which it was left, whose opening gap and costs belong
    /// to the trade.
    fn trades(&self) -> Vec<Range<usize>> {
        let mut trades = Vec::new();
        let mut start = 0;
        for run in self.positions.chunk_by(|a, b| a.to_bits() == b.to_bits()) {
            let end = start + run.len();
            if run[0] != 0.0 {
                let is_left = self.positions.get(end).is_some_and(|next| *next == 0.0);
                trades.push(start..end + usize::from(is_left));
            }
            start = end;
        }
        trades
    }

    /// Compares the two sides.
    pub(crate) fn figures(&self, bars_per_year: Option<f64>) -> EvidenceFigures {
        let trades = self.trades();
        let n_returns = self.model.len();
        let found = EvidenceFigures {
            n_returns,
            n_trades: trades.len(),
            bars_per_year,
            ..EvidenceFigures::default()
        };
        let Some(comparison) = SharpeComparison::of(&self.model, &self.holding) else {
            return found;
        };
        let bars: Vec<Range<usize>> = (0..n_returns).map(|idx| idx..idx + 1).collect();
        EvidenceFigures {
            probability: Some(comparison.probability()),
            flat: Some(gap(&comparison.flat)),
            buy_and_hold: comparison.holding.as_ref().map(gap),
            block: Some(comparison.block),
            without_best_bar: self.without(&bars),
            without_best_trade: self.without(&trades),
            among: among(&comparison),
            ..found
        }
    }

    fn without(&self, groups: &[Range<usize>]) -> Option<LeftOut> {
        let found = LeaveOut::of(&self.model, &self.holding, groups)?;
        let bars = &groups[found.group];
        Some(LeftOut { first: bars.start, n_returns: bars.len(), probability: found.probability })
    }
}

fn gap(found: &SharpeDifference) -> SharpeGap {
    SharpeGap { difference: found.difference, low: found.low, high: found.high }
}

fn among(comparison: &SharpeComparison) -> Vec<(u64, f64)> {
    let mut among = Vec::new();
    for n_tries in TRIES {
        let probability = comparison.probability_among(f64::from(n_tries)).unwrap_or(0.0);
        among.push((u64::from(n_tries), probability));
        if probability < NO_MORE {
            break;
        }
    }
    among
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trades_are_runs_of_a_position_with_the_bar_of_their_exit() {
        let of = |positions: &[f64]| {
            let positions = positions.to_vec();
            PairedReturns { positions, ..PairedReturns::default() }.trades()
        };
        assert_eq!(of(&[0.0, 1.0, 1.0, 0.0, 0.0]), [Range { start: 1, end: 4 }]);
        assert_eq!(of(&[1.0, 1.0, -1.0, -1.0]), [0..2, 2..4]);
        assert_eq!(of(&[0.0, 0.0]), []);
    }

    #[test]
    fn recorded_probabilities_fall_with_the_number_of_tries() {
        let wave = |idx: u32| f64::from(idx * 7_919 % 101) / 101.0 - 0.5;
        let model: Vec<f64> = (0..400).map(|idx| 0.001 + 0.01 * wave(idx)).collect();
        let holding: Vec<f64> = (0..400).map(|idx| 0.01 * wave(idx * 3 + 1)).collect();
        let returns = PairedReturns { positions: vec![1.0; 400], model, holding };
        let figures = returns.figures(Some(252.0));
        assert_eq!(figures.among[0], (1, figures.probability.unwrap()));
        assert!(figures.among.windows(2).all(|pair| pair[0].1 >= pair[1].1));
        // One trade over all bars: nothing is left without it.
        assert_eq!(figures.n_trades, 1);
        assert_eq!(figures.without_best_trade.unwrap().probability, None);
    }
}
