//! Training, validation and test side by side.

use std::ops::Range;

use herdbook_domain::Window;
use herdbook_market::{CostModel, Position};
use herdbook_ppo::Policy;
use serde::{Deserialize, Serialize};

use crate::environment::market_data::{MarketData, Tape};
use crate::environment::trading_env::training_bars;
use crate::results::details::figures::Figures;
use crate::results::measure::{hold_position, performance_of, run_policy};

/// Which window a result is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    /// The bars that the weights were trained on, after the warm-up of the features.
    Training,
    /// The bars that the policy was chosen on.
    Validation,
    /// The bars that the result is reported on.
    Test,
    /// The bars of a backtest.
    Backtest,
}

impl WindowKind {
    /// The heading of its column.
    pub(crate) fn heading(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Validation => "validation",
            Self::Test => "test",
            Self::Backtest => "these bars",
        }
    }
}

/// The result of a model on one window, in one pass from a flat account.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WindowResult {
    /// Which window.
    pub kind: WindowKind,
    /// From the open of its first bar to the end of its last one.
    pub window: Window,
    /// Basis points of traded notional charged per side.
    pub cost_bps: f64,
    /// The model.
    pub model: Figures,
    /// Buy and hold on the same bars, at the same costs.
    pub buy_and_hold: Figures,
}

/// Runs the policy over the training and the validation window.
pub(crate) fn before_test(
    market: &MarketData,
    costs: CostModel,
    policy: &Policy,
) -> Vec<WindowResult> {
    let of = |kind: WindowKind, bars: Range<usize>| {
        let tape = &market.tape;
        let of_model = performance_of(tape, &run_policy(tape, bars.clone(), costs, policy));
        result(kind, tape, &bars, costs, Figures::from(&of_model))
    };
    vec![
        of(WindowKind::Training, training_bars(market)),
        of(WindowKind::Validation, market.split.validation.bars.clone()),
    ]
}

/// The result of a model on a window, beside that of holding.
pub(crate) fn result(
    kind: WindowKind,
    tape: &Tape,
    bars: &Range<usize>,
    costs: CostModel,
    model: Figures,
) -> WindowResult {
    let held = hold_position(tape, bars.clone(), costs, Position::Long);
    let buy_and_hold = Figures::from(&performance_of(tape, &held));
    WindowResult {
        kind,
        window: tape.window_of(bars.clone()),
        cost_bps: costs.bps(),
        model,
        buy_and_hold,
    }
}

/// The Sharpe ratios on the training window and on later bars.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// Sharpe ratio per year on the training window.
    pub training: f64,
    /// Sharpe ratio per year on the later bars.
    pub later: f64,
    /// The later bars.
    pub to: WindowKind,
}

impl Gap {
    /// The gap between the training window and the last of the windows; `None` if a Sharpe ratio is undefined.
    pub(crate) fn among(windows: &[WindowResult]) -> Option<Self> {
        let training = windows.iter().find(|found| found.kind == WindowKind::Training)?;
        let later = windows.last().filter(|found| found.kind != WindowKind::Training)?;
        Some(Self {
            training: training.model.sharpe_ratio?,
            later: later.model.sharpe_ratio?,
            to: later.kind,
        })
    }

    /// The gap in one sentence.
    pub fn sentence(&self) -> String {
        let (training, later) = (self.training, self.later);
        let to = self.to.heading();
        let values = format!("from {training:+.2} in training to {later:+.2} on {to}");
        if later >= training {
            return format!("gap: none, the Sharpe ratio goes {values}");
        }
        let not_kept = if training > 0.0 && later <= 0.0 {
            ": the model earned in training, but not on later bars"
        } else {
            ""
        };
        format!("gap: the Sharpe ratio falls by {:.2}, {values}{not_kept}", training - later)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gap_is_named_with_its_direction() {
        let gap = |training, later| Gap { training, later, to: WindowKind::Test }.sentence();
        assert_eq!(
            gap(7.46, -0.88),
            "gap: the Sharpe ratio falls by 8.34, from +7.46 in training to -0.88 on test: the model earned in \
             training, but not on later bars"
        );
        assert_eq!(
            gap(1.0, 0.25),
            "gap: the Sharpe ratio falls by 0.75, from +1.00 in training to +0.25 on test"
        );
        assert_eq!(
            gap(-1.0, 0.25),
            "gap: none, the Sharpe ratio goes from -1.00 in training to +0.25 on test"
        );
    }
}
