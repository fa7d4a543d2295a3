//! `evaluate`: tests a registered model on bars it has never seen, and records the result in the history.

use herdbook_store::{Session, now};
use herdbook_training::{EvaluationResult, RegisteredModel, evaluate_and_record};
use serde_json::{Value, json};

use crate::args::EvaluateArgs;
use crate::failure::Failure;
use crate::format::{self, count};
use crate::output::Output;
use crate::{details, evidence, results, running};

pub(crate) fn run(
    args: &EvaluateArgs,
    store: &Session,
    output: &mut Output,
) -> Result<(), Failure> {
    let (model, source) = running::prepare(&args.running, &args.data, store, now(), output)?;
    let (found, event_id) = evaluate_and_record(store, &model, &source, args.cost_bps)?;
    for remark in &found.backtest.tape.remarks {
        output.note(&format!("bars: {remark}"));
    }
    for note in &found.backtest.notes {
        output.note(&format!("note: {note}"));
    }
    output.data_of_act(
        store,
        || to_json(&model, &found, event_id),
        || summary(&model, &found, event_id),
    )
}

fn to_json(model: &RegisteredModel, found: &EvaluationResult, event_id: i64) -> Value {
    json!({
        "name": model.version.key.name,
        "version": model.version.key.version,
        "run_id": model.run.run_id,
        "event_id": event_id,
        "is_evidence": found.standing.is_evidence(),
        "standing": evidence::standing_to_json(&found.standing),
        "evidence": results::evidence_to_json(&found.evidence),
        "details": found.backtest.details,
        "evaluation": found.evaluation,
    })
}

fn summary(model: &RegisteredModel, found: &EvaluationResult, event_id: i64) -> String {
    let EvaluationResult { backtest, evaluation, .. } = found;
    let key = &model.version.key;
    let new = if evaluation.is_lineage_known {
        "all bars are later than the training, validation and test windows of the model and its ancestors".to_owned()
    } else {
        "UNKNOWN whether the model or an ancestor has seen these bars; this is no evidence"
            .to_owned()
    };
    let again = match evaluation.n_shown_before {
        0 => String::new(),
        n => format!("; an earlier evaluation used {} of them", count(n as u64)),
    };
    format!(
        "{} version {} · recorded as event {event_id}\n{} to {}, {} bars of {} {}, costs {} bp per side\n{new}{again}\n\n{}\nall bars since training: {}\n",
        key.name,
        key.version,
        format::moment(backtest.window.start),
        format::moment(backtest.window.end),
        count(backtest.n_bars() as u64),
        evaluation.symbol,
        model.timeframe,
        backtest.cost_bps,
        details::text(&backtest.details, (backtest.honesty, backtest.cost_bps), &found.evidence),
        evidence::summary(&found.standing),
    )
}
