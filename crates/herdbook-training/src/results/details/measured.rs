//! All details of a result on one window.

use std::ops::Range;

use herdbook_domain::Honesty;
use herdbook_market::{CostModel, Ledger};
use serde::{Deserialize, Serialize};

use crate::environment::market_data::Tape;
use crate::results::details::breakdown::{Breakdown, breakdowns};
use crate::results::details::figures::Figures;
use crate::results::details::holding_time::mean_holding_bars;
use crate::results::details::replay::{AtCosts, at_costs, one_bar_later};
use crate::results::details::rivals::choice::{ChosenRules, RuleResult};
use crate::results::details::rivals::random::RandomActions;
use crate::results::details::windows::{Gap, WindowKind, WindowResult, result};
use crate::results::figures::PairedReturns;
use crate::results::measure::performance_of;

/// What is told about a result besides its own metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// The windows in order of time; the last one is that of the result. Only that one is known for a model of a build that
    /// recorded no others.
    pub windows: Vec<WindowResult>,
    /// The Sharpe ratios of the training window and of the last window that was not seen in training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
    /// Simple rules on the bars of the result.
    pub rules: Vec<RuleResult>,
    /// Random actions with the turnover of the model; absent for a model that never traded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub random: Option<RandomActions>,
    /// The same actions at other costs; empty without costs.
    pub at_costs: Vec<AtCosts>,
    /// The same actions, each filled one bar later.
    pub one_bar_later: Figures,
    /// Mean number of bars for which a position is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_holding_bars: Option<f64>,
    /// The result by volatility, trend and time.
    pub breakdowns: Vec<Breakdown>,
}

/// A result: the accounts of a model and of holding over bars.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) kind: WindowKind,
    pub(crate) tape: &'a Tape,
    pub(crate) bars: &'a Range<usize>,
    pub(crate) costs: CostModel,
    pub(crate) ledger: &'a Ledger,
    pub(crate) held: &'a Ledger,
    pub(crate) honesty: Honesty,
}

impl Details {
    /// The details of a result. `before` are the windows before it.
    pub(crate) fn of(subject: Subject<'_>, before: Vec<WindowResult>, rules: &ChosenRules) -> Self {
        let Subject { kind, tape, bars, costs, ledger, held, honesty } = subject;
        let targets = ledger.targets();
        let model = Figures::from(&performance_of(tape, ledger));
        let mut windows = before;
        let gap_before = Gap::among(&windows);
        windows.push(result(kind, tape, bars, costs, model));
        // Bars that were seen in training are no later bars.
        let gap = match honesty {
            Honesty::Contaminated => gap_before,
            Honesty::Clean | Honesty::Unknown => Gap::among(&windows),
        };
        Self {
            gap,
            windows,
            rules: rules.results(tape, bars, costs),
            random: RandomActions::of(tape, bars, costs, targets, model.total_return),
            at_costs: at_costs(tape, bars, costs, targets),
            one_bar_later: one_bar_later(tape, bars, costs, targets),
            mean_holding_bars: mean_holding_bars(ledger.positions()),
            breakdowns: breakdowns(tape, bars, &PairedReturns::of(ledger, held)),
        }
    }

    /// The window of the result.
    pub(crate) fn own(&self) -> Option<&WindowResult> {
        self.windows.last()
    }

    /// The figures that a run logs as metrics: the windows before the test window as `train_window/*` and
    /// `validation_window/*`, the rules as `baseline/*`. Undefined ones are absent.
    pub(crate) fn to_metrics(&self) -> Vec<(String, f64)> {
        let mut metrics = Vec::new();
        let mut add = |prefix: String, total_return: Option<f64>, sharpe_ratio: Option<f64>| {
            let both = [("total_return", total_return), ("sharpe_ratio", sharpe_ratio)];
            metrics.extend(
                both.into_iter()
                    .filter_map(|(name, value)| Some((format!("{prefix}{name}"), value?))),
            );
        };
        for found in &self.windows {
            let prefix = match found.kind {
                WindowKind::Training => "train_window/",
                WindowKind::Validation => "validation_window/",
                WindowKind::Test | WindowKind::Backtest => continue,
            };
            add(prefix.to_owned(), found.model.total_return, found.model.sharpe_ratio);
        }
        for RuleResult { kind, result, .. } in &self.rules {
            let prefix = format!("baseline/{}_", kind.key());
            add(prefix, result.total_return, result.sharpe_ratio);
        }
        if let Some(random) = &self.random {
            add("baseline/random_".to_owned(), Some(random.median), random.median_sharpe_ratio);
        }
        metrics
    }
}
