//! The choice of the simple rules on the validation window, and their results.

use std::ops::Range;

use herdbook_market::{CostModel, Ledger};
use serde::{Deserialize, Serialize};

use super::logistic::LogisticRegression;
use super::moving_average::MovingAverage;
use crate::environment::market_data::{MarketData, Tape};
use crate::environment::trading_env::training_bars;
use crate::results::details::figures::Figures;
use crate::results::measure::{performance_of, run_rule};

/// The simple rules that were chosen on the validation window; one that could not be fitted is absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct ChosenRules {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) moving_average: Option<Chosen<MovingAverage>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) logistic_regression: Option<Chosen<LogisticRegression>>,
}

/// A rule, and its result on the validation window, by which it was chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Chosen<T> {
    pub(crate) rule: T,
    pub(crate) validation: Figures,
}

/// A kind of simple rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// Long while the mean of few closes is above that of more.
    MovingAverage,
    /// The probability of a rise from the features of the model.
    LogisticRegression,
}

impl RuleKind {
    /// Its name in tables and sentences.
    pub fn name(self) -> &'static str {
        match self {
            Self::MovingAverage => "moving average",
            Self::LogisticRegression => "logistic regression",
        }
    }

    /// Its name in metrics.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::MovingAverage => "moving_average",
            Self::LogisticRegression => "logistic_regression",
        }
    }
}

/// The result of a simple rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleResult {
    /// The kind of rule.
    pub kind: RuleKind,
    /// The rule that was chosen, such as `close over mean of 50, long or flat`.
    pub choice: String,
    /// Its result on the validation window of the training, by which it was chosen.
    pub validation: Figures,
    /// Its result on the bars of the model's result, at the same costs.
    pub result: Figures,
}

impl ChosenRules {
    /// Fits the rules on the training window and chooses those with the highest total return on the validation window, the
    /// first of equal ones.
    pub(crate) fn choose(market: &MarketData, costs: CostModel) -> Self {
        let (tape, bars) = (&*market.tape, &market.split.validation.bars);
        let regressions = LogisticRegression::candidates(tape, &training_bars(market));
        Self {
            moving_average: best(
                MovingAverage::candidates(),
                |rule| run_moving_average(rule, tape, bars, costs),
                tape,
            ),
            logistic_regression: best(
                regressions,
                |rule| run_regression(rule, tape, bars, costs),
                tape,
            ),
        }
    }

    /// The results of the rules over `bars`.
    pub(crate) fn results(
        &self,
        tape: &Tape,
        bars: &Range<usize>,
        costs: CostModel,
    ) -> Vec<RuleResult> {
        let figures = |ledger: &Ledger| Figures::from(&performance_of(tape, ledger));
        let average = self.moving_average.as_ref().map(|chosen| RuleResult {
            kind: RuleKind::MovingAverage,
            choice: chosen.rule.describe(),
            validation: chosen.validation,
            result: figures(&run_moving_average(&chosen.rule, tape, bars, costs)),
        });
        let regression = self.logistic_regression.as_ref().map(|chosen| RuleResult {
            kind: RuleKind::LogisticRegression,
            choice: chosen.rule.describe(),
            validation: chosen.validation,
            result: figures(&run_regression(&chosen.rule, tape, bars, costs)),
        });
        average.into_iter().chain(regression).collect()
    }

    /// Whether the rules can be computed: a stored file may hold anything.
    pub(crate) fn is_valid(&self) -> bool {
        self.moving_average.as_ref().is_none_or(|chosen| chosen.rule.is_valid())
            && self.logistic_regression.as_ref().is_none_or(|chosen| chosen.rule.is_valid())
    }
}

fn best<T>(
    candidates: impl IntoIterator<Item = T>,
    run: impl Fn(&T) -> Ledger,
    tape: &Tape,
) -> Option<Chosen<T>> {
    let mut best: Option<(f64, Chosen<T>)> = None;
    for rule in candidates {
        let validation = Figures::from(&performance_of(tape, &run(&rule)));
        let Some(total) = validation.total_return else { continue };
        if best.as_ref().is_none_or(|(highest, _)| total > *highest) {
            best = Some((total, Chosen { rule, validation }));
        }
    }
    best.map(|(_, chosen)| chosen)
}

fn run_moving_average(
    rule: &MovingAverage,
    tape: &Tape,
    bars: &Range<usize>,
    costs: CostModel,
) -> Ledger {
    let positions = rule.positions(&tape.bars.as_slice()[..bars.end]);
    run_rule(tape, bars.clone(), costs, |bar_idx, _| positions[bar_idx])
}

fn run_regression(
    rule: &LogisticRegression,
    tape: &Tape,
    bars: &Range<usize>,
    costs: CostModel,
) -> Ledger {
    run_rule(tape, bars.clone(), costs, |bar_idx, _| rule.position(tape, bar_idx))
}
