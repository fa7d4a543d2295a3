//! `compare`: shows two versions side by side.

use std::collections::BTreeSet;

use herdbook_domain::{Improvement, window_params};
use herdbook_store::{RunRecord, Store, VersionRecord};
use serde_json::{Map, Value, json};

use crate::args::CompareArgs;
use crate::commands::list;
use crate::failure::Failure;
use crate::format::{self, UNDEFINED};
use crate::lookup::{self, run_of};
use crate::output::Output;
use crate::paint::Meaning;
use crate::shown::Shown;
use crate::table::{Cell, Column, Columns};

/// Prefixes of metrics that do not tell which model is better.
const LEFT_OUT: [&str; 4] = ["training/", "improvement_", "parent/", "baseline/"];

pub(crate) fn run(args: &CompareArgs, store: &Store, output: &mut Output) -> Result<(), Failure> {
    let first = lookup::find(&args.first, store, &args.family)?;
    let second = lookup::find(&args.second, store, &args.family)?;
    let differing = differing_data(store, &first, &second)?;
    let comparable = differing.is_empty();
    let (first_metrics, second_metrics) = (first.finite_metrics(), second.finite_metrics());
    let names: BTreeSet<&String> = first_metrics
        .keys()
        .chain(second_metrics.keys())
        .filter(|name| !LEFT_OUT.iter().any(|prefix| name.starts_with(prefix)))
        .filter(|name| !name.ends_with("timesteps"))
        .collect();
    let value = || {
        json!({
            "first": list::to_json(&first),
            "second": list::to_json(&second),
            "comparable": differing.is_empty(),
            "differing": differing,
            "metrics": names.iter().map(|name| ((*name).clone(), compare(name, &first, &second, comparable))).collect::<Map<_, _>>(),
        })
    };
    output.data(value, || text(&names, &first, &second, &differing))
}

/// Names of the params in which the bars, windows or costs of two results differ.
fn differing_data(
    store: &Store,
    first: &VersionRecord,
    second: &VersionRecord,
) -> Result<Vec<&'static str>, Failure> {
    let (first, second) = (run_of(store, first)?, run_of(store, second)?);
    let param = |run: &Option<RunRecord>, key: &str| {
        run.as_ref().and_then(|run| run.params_for_rules().get(key).cloned())
    };
    Ok(window_params::of_result().filter(|key| param(&first, key) != param(&second, key)).collect())
}

/// A metric of both models. The better one is named only if the results are comparable.
fn compare(name: &str, first: &VersionRecord, second: &VersionRecord, comparable: bool) -> Value {
    let (first, second) = (first.metric(name), second.metric(name));
    let change = first.zip(second).map(|(first, second)| Improvement::of(name, first, second));
    json!({
        "first": first,
        "second": second,
        "difference": change.map(|change| change.difference),
        "change_percent": change.and_then(|change| change.percent),
        "is_first_near_zero": change.map(|change| change.is_parent_near_zero),
        "second_is_better": change.and_then(|change| change.better).filter(|_| comparable),
    })
}

fn text(
    names: &BTreeSet<&String>,
    first: &VersionRecord,
    second: &VersionRecord,
    differing: &[&str],
) -> Shown {
    let label = |version: &VersionRecord| format!("{} {}", version.key.name, version.key.version);
    let (first_label, second_label) = (label(first), label(second));
    let mut table = Columns::of([
        Column::left(""),
        Column::right(&first_label).wrapped(10),
        Column::right(&second_label).wrapped(10),
        Column::right("change").dispensable(1),
        Column::left("").dispensable(2),
    ]);
    for key in ["model_type", "version_type", "promotion_stage", "honesty", "total_timesteps"] {
        let tag = |version: &VersionRecord| {
            version.tags_by_seal().remove(key).unwrap_or_else(|| UNDEFINED.to_owned())
        };
        let cell = |version: &VersionRecord| match key {
            "promotion_stage" => list::stage_cell(version),
            _ => Cell::from(tag(version)),
        };
        let none = || Cell::from(String::new());
        table.row([key.to_owned().into(), cell(first), cell(second), none(), none()]);
    }
    for name in names {
        let change = first
            .metric(name)
            .zip(second.metric(name))
            .map(|(first, second)| Improvement::of(name, first, second));
        let judged = change.filter(|_| differing.is_empty());
        let meaning = judged
            .and_then(|change| change.better)
            .map(|is_better| if is_better { Meaning::Good } else { Meaning::Bad });
        let text = change.map(|change| change.change_text(name)).unwrap_or_default();
        table.row([
            (*name).clone().into(),
            format::metric_of(first.metric(name), name).into(),
            format::metric_of(second.metric(name), name).into(),
            Cell::of(text, meaning),
            Cell::of(judged.map_or("", |change| change.verdict()), meaning),
        ]);
    }
    if differing.is_empty() {
        return table.into();
    }
    let why = format!("not comparable: the two results differ in {}", differing.join(", "));
    Shown::from(table).and("\n").painted(why, Some(Meaning::Doubtful))
}
