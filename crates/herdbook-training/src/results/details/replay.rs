//! The same actions under other terms: at other costs, and filled one bar later.

use std::ops::Range;

use herdbook_market::{CostModel, Ledger, Position};
use serde::{Deserialize, Serialize};

use crate::environment::market_data::Tape;
use crate::results::details::figures::Figures;
use crate::results::measure::{performance_of, run_rule};

/// Multiples of the costs at which the actions are repeated.
const MULTIPLES: [f64; 4] = [0.5, 1.0, 2.0, 5.0];

/// The same actions at other costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AtCosts {
    /// Multiple of the costs of the result.
    pub multiple: f64,
    /// Basis points of traded notional charged per side.
    pub cost_bps: f64,
    /// The result.
    pub model: Figures,
}

/// Repeats the targets of an account over `bars`, each filled `delay` bars later than decided; flat before the first.
pub(crate) fn repeat(
    tape: &Tape,
    bars: &Range<usize>,
    costs: CostModel,
    targets: &[Position],
    delay: usize,
) -> Ledger {
    run_rule(tape, bars.clone(), costs, |bar_idx, _| {
        let step = (bar_idx - bars.start).checked_sub(delay);
        step.and_then(|step| targets.get(step)).copied().unwrap_or_default()
    })
}

/// The same actions at multiples of the costs. Empty without costs; multiples beyond the largest permitted costs are left
/// out.
pub(crate) fn at_costs(
    tape: &Tape,
    bars: &Range<usize>,
    costs: CostModel,
    targets: &[Position],
) -> Vec<AtCosts> {
    if costs.bps() <= 0.0 {
        return Vec::new();
    }
    let at = |multiple: f64| {
        let scaled = CostModel::from_bps(costs.bps() * multiple).ok()?;
        let ledger = repeat(tape, bars, scaled, targets, 0);
        let model = Figures::from(&performance_of(tape, &ledger));
        Some(AtCosts { multiple, cost_bps: scaled.bps(), model })
    };
    MULTIPLES.into_iter().filter_map(at).collect()
}

/// The same actions, each filled one bar later.
pub(crate) fn one_bar_later(
    tape: &Tape,
    bars: &Range<usize>,
    costs: CostModel,
    targets: &[Position],
) -> Figures {
    Figures::from(&performance_of(tape, &repeat(tape, bars, costs, targets, 1)))
}
