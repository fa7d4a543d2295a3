//! `list`: lists versions, newest first.

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{ModelName, Stage, Timeframe};
use herdbook_store::{Store, UnreadableVersion, VersionQuery, VersionRecord};
use serde_json::{Value, json};

use crate::args::ListArgs;
use crate::failure::Failure;
use crate::format::{self, UNDEFINED};
use crate::output::Output;
use crate::table::{Align, Columns};

pub(crate) fn run(args: &ListArgs, store: &Store, output: &mut Output) -> Result<(), Failure> {
    print(store, None, args.timeframe, args.stage, output)
}

/// Metrics shown in the table.
const SHOWN_METRICS: [&str; 4] = [
    "evaluation/mean_reward",
    "evaluation/best_mean_reward",
    "portfolio/total_return",
    "portfolio/sharpe_ratio",
];

/// Prints versions, filtered by registered model, timeframe and stage where given.
pub(crate) fn print(
    store: &Store,
    name: Option<ModelName>,
    timeframe: Option<Timeframe>,
    stage: Option<Stage>,
    output: &mut Output,
) -> Result<(), Failure> {
    let metrics = output.metrics(&SHOWN_METRICS);
    let listing = store.versions(&VersionQuery { name, timeframe, stage, metrics })?;
    note_unreadable(&listing.unreadable, output);
    let versions = listing.records;
    output.data(|| versions.iter().map(to_json).collect::<Vec<_>>(), || text(&versions))
}

/// How many unreadable versions a note names.
const N_NAMED: usize = 3;

/// Notes how many versions cannot be read, and names the first ones.
pub(crate) fn note_unreadable(unreadable: &[UnreadableVersion], output: &mut Output) {
    if let Some(note) = unreadable_note(unreadable) {
        output.note(&note);
    }
}

fn unreadable_note(unreadable: &[UnreadableVersion]) -> Option<String> {
    let versions = match unreadable.len() {
        0 => return None,
        1 => "1 version is not shown: its name or number cannot be read".to_owned(),
        n => format!("{n} versions are not shown: their names or numbers cannot be read"),
    };
    let mut note = format!("note: {versions}");
    for UnreadableVersion { name, version, problem } in unreadable.iter().take(N_NAMED) {
        let (name, version) = (name.escape_debug(), version.escape_debug());
        note += &format!("\n  `{name}` version {version}: {problem}");
    }
    if unreadable.len() > N_NAMED {
        note += &format!("\n  and {} more", unreadable.len() - N_NAMED);
    }
    Some(note)
}

/// A version as `list --json` prints it.
pub(crate) fn to_json(version: &VersionRecord) -> Value {
    let tags = tags_of(version);
    let tag = |key: &str| tags.get(key);
    json!({
        "name": version.key.name,
        "version": version.key.version,
        "run_id": version.run_id,
        "timeframe": tag(key::TIMEFRAME),
        "model_type": tag(key::MODEL_TYPE),
        "version_type": tag(key::VERSION_TYPE),
        "promotion_stage": tag(key::PROMOTION_STAGE),
        "honesty": tag(key::HONESTY),
        "created_at": version.created_at,
        "updated_at": version.updated_at,
        "metrics": version.finite_metrics(),
        "sealed": sealed_json(version),
    })
}

/// When and how the facts of a version were sealed; null if they are not.
pub(crate) fn sealed_json(version: &VersionRecord) -> Value {
    version.sealed.as_ref().map_or(
        Value::Null,
        |sealed| json!({"event": sealed.event_id, "origin": sealed.origin, "at": sealed.at}),
    )
}

/// The tags of a version; of those that repeat sealed facts, the sealed values.
pub(crate) fn tags_of(version: &VersionRecord) -> Tags {
    let mut tags = version.tags.clone();
    let Some(sealed) = &version.sealed else { return tags };
    let facts = [
        (key::TIMEFRAME, sealed.timeframe.map(|it| it.to_string())),
        (key::MODEL_TYPE, sealed.model_type.map(|it| it.to_string())),
        (key::HONESTY, Some(sealed.honesty.to_string())),
        (key::TOTAL_TIMESTEPS, sealed.total_timesteps.map(|it| it.to_string())),
    ];
    for (key, value) in facts {
        if let Some(value) = value {
            tags.insert(key.to_owned(), value);
        }
    }
    tags
}

fn text(versions: &[VersionRecord]) -> String {
    let mut table = Columns::new(&[
        ("model", Align::Left),
        ("version", Align::Right),
        ("type", Align::Left),
        ("", Align::Left),
        ("stage", Align::Left),
        ("validation reward", Align::Right),
        ("best in training", Align::Right),
        ("test return", Align::Right),
        ("Sharpe", Align::Right),
        ("honesty", Align::Left),
        ("registered (UTC)", Align::Left),
        ("run", Align::Left),
    ]);
    for version in versions {
        let tags = tags_of(version);
        let tag = |key: &str| tags.get(key).cloned().unwrap_or_else(|| UNDEFINED.to_owned());
        let metric = |name: &str| format::metric_of(version.metric(name), name);
        table.row([
            version.key.name.to_string(),
            version.key.version.to_string(),
            tag(key::MODEL_TYPE),
            tag(key::VERSION_TYPE),
            tag(key::PROMOTION_STAGE),
            metric(SHOWN_METRICS[0]),
            metric(SHOWN_METRICS[1]),
            metric(SHOWN_METRICS[2]),
            format::number(version.metric(SHOWN_METRICS[3]), 2),
            tag(key::HONESTY),
            format::moment(version.created_at),
            version.run_id.as_ref().map_or(UNDEFINED, format::short_run).to_owned(),
        ]);
    }
    if table.is_empty() { "no model versions".to_owned() } else { table.to_string() }
}
