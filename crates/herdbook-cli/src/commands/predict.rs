//! `predict`: the position that a registered model takes after the newest closed bar.

mod watch;

use std::path::Path;

use herdbook_domain::Honesty;
use herdbook_store::{Store, now};
use herdbook_training::{
    AgeLimits, BarsCheck, Holding, Position, Prediction, RegisteredModel, Tape,
};
use serde_json::{Map, Value, json};

use crate::args::PredictArgs;
use crate::failure::Failure;
use crate::format;
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

fn to_json(
    model: &RegisteredModel,
    tape: &Tape,
    prediction: &Prediction,
    check: &BarsCheck,
) -> Value {
    let probabilities: Map<String, Value> = Position::ALL
        .iter()
        .zip(prediction.probabilities)
        .map(|(position, probability)| (position.as_str().to_owned(), probability.into()))
        .collect();
    json!({
        "action": prediction.action.as_str(),
        "probabilities": probabilities,
        "from_position": prediction.from.as_str(),
        "position_since": prediction.since,
        "bar": prediction.bar,
        "observation": prediction.observation.as_slice(),
        "honesty": check.honesty,
        "symbol": tape.symbol,
        "timeframe": model.timeframe,
        "name": model.version.key.name,
        "version": model.version.key.version,
        "run_id": model.run.run_id,
    })
}

fn summary(model: &RegisteredModel, tape: &Tape, prediction: &Prediction) -> String {
    let likely: Vec<String> = Position::ALL
        .iter()
        .zip(prediction.probabilities)
        .map(|(position, share)| format!("{} {:.1} %", position.as_str(), 100.0 * share))
        .collect();
    format!(
        "{} · {}\nafter the {} bar of {} that ended {} UTC, {}\n{} version {} · run {}",
        prediction.action.as_str(),
        likely.join(", "),
        model.timeframe,
        tape.symbol,
        format::moment(prediction.bar.end),
        start(prediction),
        model.version.key.name,
        model.version.key.version,
        model.run.run_id,
    )
}

/// The account that the model observed, as a clause.
fn start(prediction: &Prediction) -> String {
    match prediction.since {
        None => "starting from a flat account".to_owned(),
        Some(since) => {
            let position = prediction.from.as_str();
            format!("with an account that is {position} since {} UTC", format::moment(since))
        }
    }
}
