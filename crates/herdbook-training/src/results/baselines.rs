//! Results without a model on the same bars: buy-and-hold, and doing nothing.

use std::ops::Range;

use herdbook_market::metrics::Performance;
use herdbook_market::{CostModel, Position};

use crate::environment::market_data::Tape;
use crate::results::measure::{hold_position, performance_of};

/// Performance without a model, after costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baselines {
    /// Long from the first fill to the end.
    pub buy_and_hold: Performance,
    /// No position at all.
    pub flat: Performance,
}

impl Baselines {
    pub(crate) fn over(tape: &Tape, bars: &Range<usize>, costs: CostModel) -> Self {
        let of =
            |position| performance_of(tape, &hold_position(tape, bars.clone(), costs, position));
        Self { buy_and_hold: of(Position::Long), flat: of(Position::Flat) }
    }

    /// Buy-and-hold as metrics `baseline/buy_and_hold_*`; undefined ones are absent.
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
