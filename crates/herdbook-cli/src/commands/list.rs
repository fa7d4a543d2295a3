//! `list`: lists versions.

use std::cmp::Reverse;
use std::num::NonZeroUsize;

use herdbook_domain::tags::key;
use herdbook_domain::{Direction, ModelName, ModelType, Stage, Timeframe};
use herdbook_store::{
    MetricSelection, Store, TagSelection, UnreadableVersion, UnsealedValues, VersionQuery,
    VersionRecord,
};
use serde_json::{Value, json};

use crate::args::{ListArgs, SortKey};
use crate::failure::Failure;
use crate::format::{self, UNDEFINED};
use crate::lookup::models_called;
use crate::output::Output;
use crate::paint::Meaning;
use crate::shown::Shown;
use crate::table::{Cell, Column, Columns};

/// Which versions are listed, and in which order.
pub(crate) struct ListRequest {
    /// Their registered models; empty for all.
    pub(crate) names: Vec<ModelName>,
    pub(crate) timeframe: Option<Timeframe>,
    pub(crate) stage: Option<Stage>,
    pub(crate) sort: SortKey,
    /// At most so many.
    pub(crate) limit: Option<NonZeroUsize>,
}

pub(crate) fn run(args: &ListArgs, store: &Store, output: &mut Output) -> Result<(), Failure> {
    let names = match &args.model {
        Some(model) => models_called(store, model, args.timeframe)?,
        None => Vec::new(),
    };
    let (timeframe, stage, limit) = (args.timeframe, args.stage, args.limit);
    print(store, &ListRequest { names, timeframe, stage, sort: args.sort.clone(), limit }, output)
}

/// Metrics that the table always shows.
const SHOWN_METRICS: [&str; 4] = [
    "evaluation/mean_reward",
    "evaluation/best_mean_reward",
    "portfolio/total_return",
    "portfolio/sharpe_ratio",
];

const MAX_DRAWDOWN: &str = "portfolio/max_drawdown";
/// Metrics of the table sorted by drawdown.
const WITH_DRAWDOWN: [&str; 5] =
    [SHOWN_METRICS[0], SHOWN_METRICS[1], SHOWN_METRICS[2], SHOWN_METRICS[3], MAX_DRAWDOWN];

/// Tags shown in the table, and the one by which it may be sorted.
const SHOWN_TAGS: [&str; 5] =
    [key::MODEL_TYPE, key::VERSION_TYPE, key::PROMOTION_STAGE, key::HONESTY, key::TIMEFRAME];

/// Prints the requested versions.
pub(crate) fn print(
    store: &Store,
    request: &ListRequest,
    output: &mut Output,
) -> Result<(), Failure> {
    let metrics = match &request.sort {
        SortKey::Metric(metric) if metric.as_str() == MAX_DRAWDOWN => {
            output.metrics(&WITH_DRAWDOWN)
        }
        SortKey::Metric(metric) if !SHOWN_METRICS.contains(&metric.as_str()) => {
            MetricSelection::All
        }
        _ => output.metrics(&SHOWN_METRICS),
    };
    // The store sorts by registration.
    let limits_in_store = request.sort == SortKey::Registered && request.names.len() < 2;
    let query = VersionQuery {
        name: match request.names.as_slice() {
            [name] => Some(name.clone()),
            _ => None,
        },
        timeframe: request.timeframe,
        stage: request.stage,
        metrics,
        limit: request.limit.filter(|_| limits_in_store),
        unsealed_values: UnsealedValues::WhereTheyCount,
        tags: if output.is_json() { TagSelection::All } else { TagSelection::Only(&SHOWN_TAGS) },
    };
    let listing = store.versions(&query)?;
    note_unreadable(&listing.unreadable, output);
    let mut versions = listing.records;
    versions
        .retain(|version| request.names.is_empty() || request.names.contains(&version.key.name));
    sort(&mut versions, &request.sort);
    let n_found = versions.len() + listing.n_beyond_limit;
    versions.truncate(request.limit.map_or(usize::MAX, NonZeroUsize::get));
    output.data(
        || versions.iter().map(to_json).collect::<Vec<_>>(),
        || text(&versions, &request.sort),
    )?;
    if versions.len() < n_found {
        output.note(&format!(
            "note: the first {} of {} versions",
            format::count(versions.len() as u64),
            format::count(n_found as u64)
        ));
    }
    Ok(())
}

/// Sorts versions, which come newest first. Equal ones stay in that order.
fn sort(versions: &mut [VersionRecord], key: &SortKey) {
    match key {
        SortKey::Registered => {}
        SortKey::Changed => versions.sort_by_key(|version| Reverse(version.updated_at)),
        SortKey::Model => versions.sort_by(|a, b| {
            let place = |version: &VersionRecord| {
                (version.timeframe().is_none(), version.timeframe(), version.key.clone())
            };
            place(a).cmp(&place(b))
        }),
        SortKey::Stage => versions.sort_by_key(|version| match version.stage() {
            Some(Stage::Champion) => 0,
            Some(Stage::Beta) => 1,
            Some(Stage::Development) => 2,
            Some(Stage::Archived) => 3,
            None => 4,
        }),
        SortKey::Metric(metric) => {
            let is_less_better = Direction::of(metric.as_str()) == Direction::Less;
            versions.sort_by(|a, b| match (a.metric(metric.as_str()), b.metric(metric.as_str())) {
                (Some(a), Some(b)) if is_less_better => a.total_cmp(&b),
                (Some(a), Some(b)) => b.total_cmp(&a),
                (a, b) => a.is_none().cmp(&b.is_none()),
            });
        }
    }
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
    let tags = version.tags_by_seal();
    let tag = |key: &str| tags.get(key);
    json!({
        "name": version.key.name,
        "version": version.key.version,
        "run_id": version.run_id,
        "timeframe": tag(key::TIMEFRAME),
        "symbol": version.symbol(),
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

/// The symbol of a version, or a dash.
pub(crate) fn symbol(version: &VersionRecord) -> String {
    version.symbol().map_or_else(|| UNDEFINED.to_owned(), ToString::to_string)
}

/// The stage of a version as a cell.
pub(crate) fn stage_cell(version: &VersionRecord) -> Cell {
    let text = version.tags.get(key::PROMOTION_STAGE).map_or(UNDEFINED, String::as_str);
    Cell::of(text, version.stage().and_then(Meaning::of_stage))
}

/// A metric of a version as a cell, in the colour of its sign where it is a gain or a loss.
pub(crate) fn metric_cell(version: &VersionRecord, name: &str) -> Cell {
    let value = version.metric(name);
    let meaning = if name == "portfolio/total_return" { Meaning::of_sign(value) } else { None };
    let text = match name {
        "portfolio/sharpe_ratio" => format::number(value, 2),
        _ => format::metric_of(value, name),
    };
    Cell::of(text, meaning)
}

fn text(versions: &[VersionRecord], sort: &SortKey) -> Shown {
    if versions.is_empty() {
        return "no model versions".into();
    }
    let sorted_by = match sort {
        SortKey::Metric(metric) if !SHOWN_METRICS.contains(&metric.as_str()) => {
            Some(metric.as_str())
        }
        _ => None,
    };
    let mut columns = vec![
        Column::left("model").cut(16),
        Column::right("version"),
        Column::left("symbol").dispensable(6),
        Column::left("type").dispensable(4),
        Column::left("").dispensable(11),
        Column::left("stage"),
    ];
    columns.extend(sorted_by.map(Column::right));
    columns.extend([
        Column::right("validation reward").dispensable(9),
        Column::right("best in training").dispensable(10),
        Column::right("test return").dispensable(3),
        Column::right("Sharpe").dispensable(5),
        Column::left("honesty").dispensable(2),
        Column::left("registered (UTC)").dispensable(8),
        Column::left("run").dispensable(7),
    ]);
    let mut table = Columns::of(columns);
    for version in versions {
        let tag = |key: &str| version.tags.get(key).map_or(UNDEFINED, String::as_str);
        let sealed = version.sealed.as_ref();
        let model_type = match sealed {
            Some(sealed) => sealed.model_type.map_or(UNDEFINED, ModelType::as_str),
            None => tag(key::MODEL_TYPE),
        };
        let honesty = sealed.map_or(tag(key::HONESTY), |sealed| sealed.honesty.as_str());
        let mut cells: Vec<Cell> = vec![
            version.key.name.to_string().into(),
            version.key.version.to_string().into(),
            symbol(version).into(),
            Cell::of(model_type, None),
            Cell::of(tag(key::VERSION_TYPE), None),
            stage_cell(version),
        ];
        cells.extend(sorted_by.map(|name| metric_cell(version, name)));
        cells.extend(SHOWN_METRICS.iter().map(|name| metric_cell(version, name)));
        cells.extend([
            Cell::of(honesty, honesty.parse().ok().and_then(Meaning::of_honesty)),
            format::moment(version.created_at).into(),
            version.run_id.as_ref().map_or(UNDEFINED, format::short_run).to_owned().into(),
        ]);
        table.row(cells);
    }
    table.into()
}
