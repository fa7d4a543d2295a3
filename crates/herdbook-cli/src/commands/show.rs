//! `show`: shows everything about one version.

use herdbook_domain::tags::key;
use herdbook_domain::window_params;
use herdbook_store::{EventQuery, RunRecord, Store, VersionRecord, now};
use herdbook_training::{self as training, Deflation, Performance};
use serde_json::{Value, json};

use crate::args::{Reference, ReferenceArgs};
use crate::commands::{history, list};
use crate::evidence::Since;
use crate::failure::Failure;
use crate::format;
use crate::lookup::{self, run_of};
use crate::output::Output;
use crate::results;
use crate::table::{Align, Columns};

pub(crate) fn run(args: ReferenceArgs, store: &Store, output: &mut Output) -> Result<(), Failure> {
    let reference = Reference::of(args.reference, args.model_version).unwrap_or(Reference::Latest);
    let version = lookup::find(&reference, store, &args.family)?;
    let run = run_of(store, &version)?;
    let events = store.events(&EventQuery {
        name: Some(version.key.name.clone()),
        version: Some(version.key.version),
        ..EventQuery::default()
    })?;
    let since = Since::training_of(store, &version.key)?;
    let deflation = deflation_of(store, &version, run.as_ref())?;
    let value = || {
        let mut value = to_json(&version, run.as_ref(), &events);
        value["evidence"] = since.to_json();
        value["deflation"] = json!(deflation);
        value
    };
    output.data(value, || {
        format!(
            "{}\n{}{}\n\nhistory (UTC)\n{}",
            text(&version, run.as_ref()),
            results::deflation(deflation.as_ref(), now()),
            since.lines(),
            history::text(&events)
        )
    })
}

/// The deflated Sharpe ratio of its test window, among all trials recorded up to now.
fn deflation_of(
    store: &Store,
    version: &VersionRecord,
    run: Option<&RunRecord>,
) -> Result<Option<Deflation>, Failure> {
    let Some((run, windows)) = run.and_then(|run| Some((run, run.windows()?))) else {
        return Ok(None);
    };
    let metric = |name: &str| version.metric(&format!("portfolio/{name}"));
    let figure = Performance {
        n_returns: metric("n_returns").unwrap_or(0.0) as usize,
        sharpe_per_bar: metric("sharpe_per_bar"),
        skew: metric("skew"),
        kurtosis: metric("kurtosis"),
        ..Performance::default()
    };
    Ok(training::deflation(store, &run.run_id, &windows, &figure)?)
}

fn to_json(
    version: &VersionRecord,
    run: Option<&RunRecord>,
    events: &[herdbook_domain::Event],
) -> Value {
    let mut value = list::to_json(version);
    let extra = json!({
        "tags": version.tags,
        "mlflow_stage": version.mlflow_stage,
        "windows": run.and_then(RunRecord::windows),
        "run": run.map(|run| json!({
            "name": run.name,
            "experiment": run.experiment,
            "status": run.status,
            "started_at": run.started_at,
            "ended_at": run.ended_at,
            "tags": run.tags,
            "params": run.params,
        })),
        "history": events.iter().map(history::to_json).collect::<Vec<_>>(),
    });
    if let (Value::Object(value), Value::Object(extra)) = (&mut value, extra) {
        value.extend(extra);
    }
    value
}

fn text(version: &VersionRecord, run: Option<&RunRecord>) -> String {
    let mut facts = Columns::new(&[("", Align::Left), ("", Align::Left)]);
    let mut fact = |name: &str, value: String| facts.row([name.to_owned(), value]);
    if let Some(run) = run {
        fact("run", format!("{} ({}, {})", run.run_id, run.name, run.status));
        fact("experiment", run.experiment.clone());
        fact("started (UTC)", format::moment(run.started_at));
    }
    fact("registered (UTC)", format::moment(version.created_at));
    for (key, value) in version.tags.iter().filter(|(key, _)| !is_stage_change(key)) {
        fact(key, value.clone());
    }
    if let Some(run) = run {
        let windows = run.params.iter().filter(|(key, _)| key.starts_with("data."));
        for (key, value) in windows {
            fact(key, value.clone());
        }
        for key in [window_params::COST_BPS, "seed", "timesteps"] {
            if let Some(value) = run.params.get(key) {
                fact(key, value.clone());
            }
        }
    }
    let mut metrics = Columns::new(&[("", Align::Left), ("", Align::Right)]);
    let is_shown = |name: &str| !name.starts_with("training/");
    for (name, value) in version.finite_metrics().iter().filter(|(name, _)| is_shown(name)) {
        metrics.row([name.clone(), format::metric(name, *value)]);
    }
    let stage = version.tags.get(key::PROMOTION_STAGE).map_or("no stage", String::as_str);
    format!(
        "{} version {} · {stage}\n{facts}\nmetrics (final/* and portfolio/*: test window, after costs)\n{metrics}",
        version.key.name, version.key.version
    )
}

/// Whether a tag records a change of stage, which the history shows already.
fn is_stage_change(key: &str) -> bool {
    key.strip_prefix("promotion_")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
