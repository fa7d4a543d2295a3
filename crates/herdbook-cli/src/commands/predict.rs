//! `predict`: the position that a registered model takes after the newest closed bar.

mod shown;
mod watch;

use std::path::Path;

use herdbook_domain::Honesty;
use herdbook_store::{Store, now};
use herdbook_training::{AgeLimits, BarsCheck, Holding, Position, Prediction, Tape};

use crate::args::PredictArgs;
use crate::commands::predict::shown::{summary, to_json};
use crate::failure::Failure;
use crate::output::Output;
use crate::running;

pub(crate) fn run(args: &PredictArgs, store: &Store, output: &mut Output) -> Result<(), Failure> {
    let holding = Holding { position: args.position, since: args.position_since };
    if holding.position == Position::Flat && holding.since.is_some() {
        return Err(Failure::usage("`--position-since` needs `--position short` or `long`"));
    }
    match (&args.watch, &args.data) {
        (Some(file), _) => watch::run(args, file, holding, store, output),
        (None, Some(data)) => once(args, data, holding, store, output),
        (None, None) => Err(Failure::usage("give the bars with `--data` or `--watch`")),
    }
}

/// The prediction after the newest closed bar of a file.
fn once(
    args: &PredictArgs,
    data: &Path,
    holding: Holding,
    store: &Store,
    output: &mut Output,
) -> Result<(), Failure> {
    let now = now();
    let (model, source) = running::prepare(&args.running, data, store, now, output)?;
    let tape = Tape::read(&source, model.timeframe)?;
    let freshness = AgeLimits { bar_ms: args.max_bar_age, model_ms: args.max_age };
    let prediction = Prediction::after_newest_bar(&model, &tape, now, freshness, holding)?;
    let check = BarsCheck::of(store, &model, &source, &tape, prediction.bar)?;
    for remark in tape.remarks.iter().filter(|remark| remark.ends_with("is left out")) {
        output.note(&format!("bars: {remark}"));
    }
    for note in &check.notes {
        output.note(&format!("note: {note}"));
    }
    if check.honesty == Honesty::Contaminated {
        let known_as = check.recognised.as_ref().map(|it| format!(" (they are {it})"));
        output.note(&format!(
            "note: the model or an ancestor was trained on this bar{}",
            known_as.unwrap_or_default()
        ));
    }
    output.data(
        || to_json(&model, &tape, &prediction, &check),
        || summary(&model, &tape, &prediction),
    )
}
