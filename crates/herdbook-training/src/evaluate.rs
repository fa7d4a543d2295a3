//! Evidence after a training: a version over bars that came later than everything it and its ancestors knew.

use std::collections::BTreeMap;

use herdbook_domain::{Evaluation, Timestamp};
use herdbook_market::MarketError;
use herdbook_market::metrics::Performance;
use herdbook_store::Session;

use crate::backtest::{Backtest, Terms};
use crate::{DataSource, Evidence, RegisteredModel, TrainingError};

/// An evaluation and the pass over the bars behind it.
#[derive(Debug)]
pub struct NewEvidence {
    /// The pass.
    pub backtest: Backtest,
    /// How sure its figure is.
    pub evidence: Evidence,
    /// What the history keeps of it.
    pub evaluation: Evaluation,
}

/// Runs a version over the new ones among some bars. Nothing is recorded yet.
///
/// # Errors
/// [`TrainingError::NothingNew`] where no bar is later than all that the version and its ancestors were trained,
/// validated and tested on: a test window was looked at already, by whoever chose the version.
pub fn evaluate(
    store: &Session,
    model: &RegisteredModel,
    source: &DataSource,
    cost_bps: Option<f64>,
) -> Result<NewEvidence, TrainingError> {
    let seen = model.seen(store)?;
    let new_from = seen.new_from();
    let backtest = Backtest::run(store, model, source, Terms { cost_bps, from: new_from })
        .map_err(|error| match (error, new_from) {
            (TrainingError::Market(MarketError::BoundaryOutside { .. }), Some(from)) => {
                TrainingError::NothingNew { key: model.version.key.clone(), from }
            }
            (error, _) => error,
        })?;
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
    Ok(NewEvidence { backtest, evidence, evaluation })
}

fn by_name(performance: &Performance) -> BTreeMap<String, f64> {
    let defined = performance.defined().into_iter();
    defined.map(|(name, value)| (name.to_owned(), value)).collect()
}
