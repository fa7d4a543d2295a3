//! The same window without a model.

use std::ops::Range;

use herdbook_market::metrics::Performance;
use herdbook_market::{CostModel, Position};

use crate::environment::market_data::Tape;
use crate::results::measure::{hold_position, performance_of};

/// What bars bring without a model, costs paid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baselines {
    /// Bought at the first fill and held.
    pub buy_and_hold: Performance,
    /// Nothing done.
    pub flat: Performance,
}

impl Baselines {
    pub(crate) fn over(tape: &Tape, bars: &Range<usize>, costs: CostModel) -> Self {
        let of =
            |position| performance_of(tape, &hold_position(tape, bars.clone(), costs, position));
        Self { buy_and_hold: of(Position::Long), flat: of(Position::Flat) }
    }

    /// Buy-and-hold as metrics of the run, `baseline/*`.
    pub(crate) fn to_metrics(self) -> Vec<(String, f64)> {
        let held = &self.buy_and_hold;
        [
            ("total_return", held.total_return),
            ("sharpe_ratio", held.sharpe_ratio),
            ("max_drawdown", held.max_drawdown),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((format!("baseline/buy_and_hold_{name}"), value?)))
        .collect()
    }
}
