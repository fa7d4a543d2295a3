//! Evaluation of a registered version on bars that are newer than all bars it or its ancestors have seen.

use std::collections::BTreeMap;

use herdbook_domain::{Evaluation, Timestamp};
use herdbook_market::MarketError;
use herdbook_market::metrics::Performance;
use herdbook_store::Session;

use crate::environment::market_data::DataSource;
use crate::error::TrainingError;
use crate::models::backtest::{Backtest, BacktestOptions};
use crate::models::registered_model::RegisteredModel;
use crate::results::evidence::Evidence;

/// An evaluation, and the backtest it comes from.
#[derive(Debug)]
pub struct EvaluationResult {
    /// The backtest on the new bars.
    pub backtest: Backtest,
    /// Evidence for its Sharpe ratio.
    pub evidence: Evidence,
    /// The entry for the history of the version.
    pub evaluation: Evaluation,
}

/// Runs a version over those bars of `source` that are new to it. Records nothing: the caller passes
/// [`EvaluationResult::evaluation`] to the store.
///
/// A bar is new if it starts after all bars that the version or an ancestor was trained, validated or tested on. Tested
/// bars count as seen, because versions are chosen by their test results.
///
/// # Errors
/// [`TrainingError::NoNewBars`] if there are fewer than two new bars, otherwise as [`Backtest::run`].
pub fn evaluate(
    store: &Session,
    model: &RegisteredModel,
    source: &DataSource,
    cost_bps: Option<f64>,
) -> Result<EvaluationResult, TrainingError> {
    let seen = model.seen(store)?;
    let new_from = seen.new_from();
    let backtest =
        Backtest::run(store, model, source, BacktestOptions { cost_bps, from: new_from }).map_err(
            |error| match (error, new_from) {
                (TrainingError::Market(MarketError::BoundaryOutside { .. }), Some(from)) => {
                    TrainingError::NoNewBars { key: model.version.key.clone(), from }
                }
                (error, _) => error,
            },
        )?;
    let earlier = store.evaluations(&model.version.key)?;
    let shown = |at: &Timestamp| {
        earlier.iter().any(|(_, old)| {
            old.symbol == source.symbol && old.window.start <= *at && *at < old.window.end
        })
    };
    let performance = &backtest.performance;
    let evidence = backtest.evidence();
    let evaluation = Evaluation {
        v: Evaluation::VERSION,
        symbol: source.symbol.clone(),
        window: backtest.window,
        bars_sha256: backtest.tape.bars.sha256(),
        n_bars: backtest.n_bars(),
        n_shown_before: backtest.equity_curve().filter(|point| shown(&point.at)).count(),
        is_lineage_known: seen.is_complete(),
        cost_bps: backtest.cost_bps,
        metrics: by_name(performance),
        buy_and_hold: by_name(&backtest.baselines.buy_and_hold),
        benchmark_sharpe_per_bar: evidence.benchmark_sharpe_per_bar,
        probability: evidence.probability,
    };
    Ok(EvaluationResult { backtest, evidence, evaluation })
}

fn by_name(performance: &Performance) -> BTreeMap<String, f64> {
    let defined = performance.defined().into_iter();
    defined.map(|(name, value)| (name.to_owned(), value)).collect()
}
