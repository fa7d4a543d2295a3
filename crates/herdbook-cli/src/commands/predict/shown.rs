//! A prediction as JSON and as text.

use herdbook_domain::percent;
use herdbook_training::{BarsCheck, Position, Prediction, RegisteredModel, Tape};
use serde_json::{Map, Value, json};

use crate::format;

/// The data that `--json` prints, and a line of `--watch`.
pub(super) fn to_json(
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

/// The text for people.
pub(super) fn summary(model: &RegisteredModel, tape: &Tape, prediction: &Prediction) -> String {
    let likely: Vec<String> = Position::ALL
        .iter()
        .zip(prediction.probabilities)
        .map(|(position, share)| format!("{} {}", position.as_str(), percent(f64::from(share), 1)))
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
