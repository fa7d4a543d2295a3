//! `show`: shows everything about one version.

mod page;

use herdbook_domain::tags::key;
use herdbook_domain::{Seal, Symbol, window_params};
use herdbook_store::{
    Disagreement, EventQuery, RunRecord, Store, VersionRecord, disagreements, now,
};
use herdbook_training::{self as training, Deflation, Performance};
use serde_json::{Value, json};

use crate::args::{Reference, ShowArgs};
use crate::commands::{history, list};
use crate::evidence::Since;
use crate::failure::Failure;
use crate::format::{self, UNDEFINED};
use crate::lookup;
use crate::output::Output;
use crate::output_files::{OutputFiles, Protected, Requested};
use crate::paint::Meaning;
use crate::results;
use crate::shown::Shown;
use crate::table::{Column, Columns};
use crate::terminal::one_line;

pub(crate) fn run(args: ShowArgs, store: &Store, output: &mut Output) -> Result<(), Failure> {
    let which = args.which;
    let reference =
        Reference::of(which.reference, which.model_version).unwrap_or(Reference::Latest);
    let requested = args.report.map(|path| Requested { path, flag: "--report" });
    let file =
        OutputFiles::plan(requested.into_iter().collect(), &Protected::of(store), args.overwrite)?;
    let version = lookup::find(&reference, store, &which.family)?;
    let run = readable_run_of(store, &version, output)?;
    let (events, unreadable) = store.readable_events(&EventQuery {
        name: Some(version.key.name.clone()),
        version: Some(version.key.version),
        ..EventQuery::default()
    })?;
    history::note_unreadable(&unreadable, output);
    let seal = match &version.seal_problem {
        Some(problem) => Err(problem.clone()),
        None => Seal::among(&events).map_err(|error| error.to_string()),
    };
    let seal = seal.unwrap_or_else(|problem| {
        output.note(&format!("note: {problem}; `herdbook doctor` says more"));
        None
    });
    let differing =
        seal.as_ref().map(|seal| disagreements(seal, &version, run.as_ref())).unwrap_or_default();
    let since = Since::training_of(store, &version.key)?;
    let deflation = deflation_of(store, &version, run.as_ref())?;
    if !file.is_empty() {
        let page = page::of_version(store, &version, &events, &since)?;
        file.write(&[page.into_bytes()])?;
    }
    let value = || {
        let mut value = to_json(&version, run.as_ref(), &events);
        value["evidence"] = since.to_json();
        value["standing"] = since.standing_to_json();
        value["deflation"] = json!(deflation);
        value["seal"] = json!(seal);
        value["differs_from_mlflow"] = json!(differing);
        value
    };
    output.data(value, || {
        let lines = results::deflation(deflation.as_ref(), now())
            + &results::probability_among(deflation.as_ref())
            + &since.lines();
        text(&version, run.as_ref())
            .and("\n")
            .and(differing_text(&differing))
            .and(lines)
            .and("\n\nhistory (UTC)\n")
            .and(history::text(&events))
    })
}

/// The run of a version, or `None` with a note if its row cannot be read.
fn readable_run_of(
    store: &Store,
    version: &VersionRecord,
    output: &mut Output,
) -> Result<Option<RunRecord>, Failure> {
    match lookup::run_of(store, version) {
        Err(failure) if failure.is_about_broken_record() => {
            output.note(&format!("note: {}; `herdbook doctor` says more", failure.message()));
            Ok(None)
        }
        outcome => outcome,
    }
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

fn text(version: &VersionRecord, run: Option<&RunRecord>) -> Shown {
    let mut facts = Columns::of([Column::left(""), Column::left("").wrapped(24)]);
    let mut fact = |name: &str, value: String| facts.row([name.to_owned(), value]);
    if let Some(run) = run {
        fact("run", format!("{} ({}, {})", run.run_id, run.name, run.status));
        fact("experiment", run.experiment.clone());
        fact("started (UTC)", format::moment(run.started_at));
    }
    fact("registered (UTC)", format::moment(version.created_at));
    fact("seal", seal_text(version));
    for (key, value) in version.tags_by_seal() {
        if !is_stage_change(&key) {
            fact(&key, value);
        }
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
    let mut metrics = Columns::of([Column::left(""), Column::right("")]);
    let is_shown = |name: &str| !name.starts_with("training/");
    for (name, value) in version.finite_metrics().iter().filter(|(name, _)| is_shown(name)) {
        metrics.row([name.clone(), format::metric(name, *value)]);
    }
    let stage = one_line(version.tags.get(key::PROMOTION_STAGE).map_or("no stage", String::as_str));
    let title = format!(
        "{} version {} · {} · ",
        version.key.name,
        version.key.version,
        version.symbol().map_or("symbol unknown", Symbol::as_str),
    );
    Shown::default()
        .painted(title, Some(Meaning::Heading))
        .painted(stage, version.stage().and_then(Meaning::of_stage))
        .and("\n")
        .and(facts)
        .and("\nmetrics (final/* and portfolio/*: test window, after costs)\n")
        .and(metrics)
}

/// The event that holds the sealed facts, and whether they were sealed later than the registration.
fn seal_text(version: &VersionRecord) -> String {
    if let Some(problem) = &version.seal_problem {
        return one_line(&format!("not believed: {problem}"));
    }
    let Some(sealed) = &version.sealed else {
        return "none: the first act that rests on this version seals what MLflow holds then"
            .to_owned();
    };
    let later = sealed.reservation().map(|later| format!(": {later}")).unwrap_or_default();
    format!("event {}{later}", sealed.event_id)
}

/// Where MLflow says otherwise than the seal; empty if nowhere.
fn differing_text(differing: &[Disagreement]) -> Shown {
    if differing.is_empty() {
        return Shown::default();
    }
    let mut table = Columns::of([
        Column::left("").wrapped(16),
        Column::right("sealed").wrapped(16),
        Column::right("in MLflow").wrapped(16),
    ]);
    let shown = |value: &Value| match value {
        Value::Null => UNDEFINED.to_owned(),
        Value::String(text) => text.escape_debug().to_string(),
        other => other.to_string(),
    };
    for Disagreement { what, sealed, mlflow } in differing {
        table.row([what.escape_debug().to_string(), shown(sealed), shown(mlflow)]);
    }
    let warning = "MLflow was changed since; rules decide on the sealed values";
    Shown::default().painted(warning, Some(Meaning::Doubtful)).and("\n").and(table).and("\n")
}

/// Whether a tag records a change of stage, which the history shows already.
fn is_stage_change(key: &str) -> bool {
    key.strip_prefix("promotion_")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}
