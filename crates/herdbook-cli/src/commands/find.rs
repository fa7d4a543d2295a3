//! `find`: finds the newest or the best model.

use herdbook_domain::{Departure, ModelType, Symbol, Timeframe};
use herdbook_store::{Contaminated, Store, VersionRecord};
use herdbook_training::{FindQuery, FoundModel, find_best, find_latest, find_latest_of_any_type};
use serde_json::json;

use crate::args::{FindArgs, Which};
use crate::commands::list;
use crate::failure::{Code, Failure};
use crate::format;
use crate::output::Output;

pub(crate) fn run(args: &FindArgs, store: &Store, output: &mut Output) -> Result<(), Failure> {
    let query = FindQuery {
        timeframe: args.timeframe,
        model_type: model_type(args),
        symbol: args.symbol.clone(),
        min_timesteps: args.min_timesteps,
        contaminated: Contaminated::Included,
    };
    let found = match args.which {
        Which::Latest if args.model_type.is_none() => {
            find_latest_of_any_type(store, &query, Some(args.version_type))?
        }
        Which::Latest => find_latest(store, &query, Some(args.version_type))?,
        Which::Best => find_best(store, &query, &args.metric)?,
    };
    let found = found.ok_or_else(|| not_found(args))?;
    if found.departure == Departure::BaseModel {
        output.note(&format!(
            "note: there is no `{}` model at {}; found a base model instead",
            query.model_type, args.timeframe
        ));
    }
    if !found.differing.is_empty() {
        output.note(&format!(
            "note: the candidates are not comparable: they differ in {}",
            found.differing.join(", ")
        ));
    }
    for (key, why) in &found.passed_over {
        output.note(&format!("note: {key} {why}, so it is passed over"));
    }
    print(args, &found, output)
}

/// The type to search for. `latest` without one looks at all types.
fn model_type(args: &FindArgs) -> ModelType {
    args.model_type.unwrap_or(ModelType::Base)
}

fn not_found(args: &FindArgs) -> Failure {
    let what = match args.which {
        Which::Latest if args.model_type.is_none() => {
            format!("model with version type `{}`", args.version_type)
        }
        Which::Latest => {
            format!("`{}` model with version type `{}`", model_type(args), args.version_type)
        }
        Which::Best => format!("`{}` model with the metric `{}`", model_type(args), args.metric),
    };
    let symbol = args.symbol.as_ref().map(|symbol| format!(" of {symbol}")).unwrap_or_default();
    let steps = match args.min_timesteps {
        0 => String::new(),
        n => format!(" and at least {} timesteps", format::count(n)),
    };
    let timeframe = args.timeframe;
    Failure::new(Code::NotFound, format!("there is no {what}{symbol}{steps} at {timeframe}")).with_hint(format!(
        "`herdbook list --timeframe {timeframe}` shows all models, `herdbook train --timeframe {timeframe}` trains one"
    ))
}

/// Says in a line of its own that the value was not sealed at the registration.
fn sealed_note(version: &VersionRecord) -> String {
    let note = match &version.sealed {
        Some(sealed) => sealed.reservation(),
        None => Some("not sealed: MLflow's present values".to_owned()),
    };
    note.map_or_else(String::new, |note| format!("\n{note}"))
}

fn print(args: &FindArgs, found: &FoundModel, output: &mut Output) -> Result<(), Failure> {
    let version = &found.version;
    let timeframe: Timeframe = args.timeframe;
    let run_id = version.run_id.as_ref().expect("candidates have a run");
    let model_path = run_id.model_path(timeframe);
    let honesty = version.honesty();
    let value = || {
        json!({
            "run_id": run_id,
            "model_path": model_path,
            "model_type": found.model_type,
            "name": version.key.name,
            "version": version.key.version,
            "metric": found.value.map(|value| json!({"name": args.metric, "value": value})),
            "fallback": found.departure == Departure::BaseModel,
            "comparable": found.differing.is_empty(),
            "differing": found.differing,
            "honesty": honesty,
            "sealed": list::sealed_json(version),
            "symbol": version.symbol(),
            "passed_over": found.passed_over.iter().map(|(key, why)| json!({
                "name": key.name,
                "version": key.version,
                "why": why.to_string(),
            })).collect::<Vec<_>>(),
        })
    };
    output.data(value, || {
        let metric = found
            .value
            .map(|value| {
                format!("\n{} = {}", args.metric, format::metric(args.metric.as_str(), value))
            })
            .unwrap_or_default();
        format!(
            "{} version {} ({}, {}, {honesty})\n{model_path}{metric}{}",
            version.key.name,
            version.key.version,
            found.model_type,
            version.symbol().map_or("symbol unknown", Symbol::as_str),
            sealed_note(version)
        )
    })
}
