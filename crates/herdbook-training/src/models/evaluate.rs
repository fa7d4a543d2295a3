//! Evaluation of a registered version on bars that are newer than all bars it or its ancestors have seen.

use std::collections::BTreeMap;

use herdbook_domain::{Evaluation, Timestamp, Window};
use herdbook_market::metrics::Performance;
use herdbook_market::{MarketError, recognise};
use herdbook_store::{KnownCloses, Session, StoreError};

use crate::content::spans::Spans;
use crate::content::stored_closes;
use crate::content::stored_closes::StoredCloses;
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

/// Runs a version over those bars of `source` that are new to it. Records nothing; see [`EvaluationResult::record`].
///
/// A bar is new if it starts after all bars that the version or an ancestor was trained, validated or tested on. Tested
/// bars count as seen, because versions are chosen by their test results.
///
/// # Errors
/// [`TrainingError::NoNewBars`] if there are fewer than two new bars, [`TrainingError::KnownBars`] if some of them are
/// known under another name or other times, [`TrainingError::UnnamedInstrument`] if nothing tells their instrument,
/// otherwise as [`Backtest::run`].
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
    backtest.check_new(model, source)?;
    let earlier = store.evaluations(&model.version.key)?;
    let shown_content = shown_content(store, model, &backtest, &earlier)?;
    let shown = |at: &Timestamp| {
        let bar_ms = backtest.tape.bars.timeframe().millis();
        let bar = Window { start: *at, end: Timestamp::from_millis(at.millis() + bar_ms) };
        shown_content.overlaps(bar)
            || earlier.iter().any(|(_, old)| {
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
        is_lineage_known: backtest.is_lineage_known(),
        cost_bps: backtest.cost_bps,
        metrics: by_name(performance),
        buy_and_hold: by_name(&backtest.baselines.buy_and_hold),
        benchmark_sharpe_per_bar: evidence.benchmark_sharpe_per_bar,
        probability: evidence.probability,
        closes_sha256: Some(backtest.tape.closes.sha256().to_owned()),
        allowed_jumps: backtest.allowed_jumps.clone(),
    };
    Ok(EvaluationResult { backtest, evidence, evaluation })
}

impl EvaluationResult {
    /// Stores the closes of the bars, by which they are recognised later, and adds the evaluation to the history of the
    /// version. Returns the id of the event.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    pub fn record(&self, store: &Session, model: &RegisteredModel) -> Result<i64, StoreError> {
        let closes = &self.backtest.tape.closes;
        let artifact = stored_closes::of_evaluation(closes.sha256());
        store.store_artifact(&model.run.run_id, &artifact, closes.bytes())?;
        store.record_evaluation(&model.version.key, &self.evaluation)
    }
}

/// The bars of a backtest that earlier evaluations used, under whatever name and times.
fn shown_content(
    store: &Session,
    model: &RegisteredModel,
    backtest: &Backtest,
    earlier: &[(Timestamp, Evaluation)],
) -> Result<Spans, StoreError> {
    let mut stored = StoredCloses::new(store);
    let mut spans = Vec::new();
    for (_, old) in earlier {
        let Some(sha256) = old.closes_sha256.clone() else { continue };
        let run_id = model.run.run_id.clone();
        let known = KnownCloses { run_id, sha256, is_of_evaluation: true };
        let Some(closes) = stored.of(&known)? else { continue };
        let shown = closes.between(old.window.start.millis(), old.window.end.millis());
        for likeness in recognise(backtest.tape.closes.closes(), &shown) {
            spans.extend(likeness.pairs.iter().map(|(own, _)| (*own, own + likeness.bar_ms)));
        }
    }
    Ok(spans.into_iter().collect())
}

fn by_name(performance: &Performance) -> BTreeMap<String, f64> {
    let defined = performance.defined().into_iter();
    defined.map(|(name, value)| (name.to_owned(), value)).collect()
}
