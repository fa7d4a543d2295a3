//! `history`: shows or exports the events.

use std::path::Path;

use herdbook_domain::{Evaluation, Event, EventKind, GENESIS_HASH, Seal, SealOrigin, overrides_of};
use herdbook_store::{EventQuery, Store};
use serde_json::{Value, json};

use crate::args::HistoryArgs;
use crate::failure::{Code, Failure};
use crate::format;
use crate::lookup::given_name;
use crate::output::Output;
use crate::output_files::{OutputFiles, Protected, Requested};
use crate::paint::Meaning;
use crate::table::{Cell, Column, Columns};

pub(crate) fn run(args: &HistoryArgs, store: &Store, output: &mut Output) -> Result<(), Failure> {
    if let Some(path) = &args.export {
        return export(path, args.overwrite, store, output);
    }
    let name = given_name(store, &args.family)?;
    let run_id = args.run.as_ref().map(|prefix| store.run_id_of(prefix)).transpose()?;
    let query = EventQuery {
        name: name.clone(),
        version: args.model_version,
        run_id: run_id.clone(),
        kind: None,
    };
    let (events, unreadable) = store.readable_events(&query)?;
    note_unreadable(&unreadable, output);
    if events.is_empty() {
        let whose = match (name, args.model_version, &run_id) {
            (Some(name), Some(version), _) => format!(" of `{name}` version {version}"),
            (Some(name), None, _) => format!(" of `{name}`"),
            (None, _, Some(run)) => format!(" of run `{run}`"),
            (None, _, None) => String::new(),
        };
        return Err(Failure::new(Code::NotFound, format!("there is no history{whose}"))
            .with_hint("`herdbook history` without flags shows every event"));
    }
    let n_events = events.len();
    let left_out = args.limit.map_or(0, |limit| n_events.saturating_sub(limit.get()));
    let newest = &events[left_out..];
    output.data(|| newest.iter().map(to_json).collect::<Vec<_>>(), || text(newest))?;
    if left_out > 0 {
        output.note(&format!(
            "note: the newest {} of {} events",
            format::count(newest.len() as u64),
            format::count(n_events as u64)
        ));
    }
    Ok(())
}

/// Notes the events that cannot be read.
pub(crate) fn note_unreadable(unreadable: &[String], output: &mut Output) {
    for problem in unreadable {
        output.note(&format!("note: {problem}; `herdbook verify` says more"));
    }
}

/// Writes every event with all fields that its hash covers, so that `verify --log` can check the file on its own.
fn export(path: &Path, overwrite: bool, store: &Store, output: &mut Output) -> Result<(), Failure> {
    let requested = vec![Requested { path: path.to_owned(), flag: "--export" }];
    let file = OutputFiles::plan(requested, &Protected::of(store), overwrite)?;
    let events = store.events(&EventQuery::default())?;
    let mut lines = String::new();
    for event in &events {
        lines += &serde_json::to_string(event).expect("an event is plain data");
        lines.push('\n');
    }
    file.write(&[lines.into_bytes()])?;
    let head = events.last().map_or(GENESIS_HASH, |event| event.hash.as_str());
    let value = || json!({"events": events.len(), "head": head});
    output.data_of_act(store, value, || {
        format!("{} events\nhead {head}", format::count(events.len() as u64))
    })
}

/// An event as `--json` prints it.
pub(crate) fn to_json(event: &Event) -> Value {
    let details: Value = serde_json::from_str(&event.what.details).unwrap_or(Value::Null);
    json!({
        "id": event.id,
        "act_id": event.act_id,
        "at": event.at,
        "actor": event.actor,
        "channel": event.channel,
        "kind": event.what.kind,
        "name": event.what.name,
        "version": event.what.version,
        "run_id": event.what.run_id,
        "from": event.what.from,
        "to": event.what.to,
        "reason": event.what.reason,
        "parent": event.what.parent,
        "details": details,
        "overridden": overrides_of(event),
        "hash": event.hash,
    })
}

/// The events as a table, whose texts are wrapped where the terminal is narrow.
pub(crate) fn text(events: &[Event]) -> Columns {
    let mut table = Columns::of([
        Column::left("when"),
        Column::left("who").wrapped(8).dispensable(1),
        Column::left("model").wrapped(10),
        Column::left("what").wrapped(16),
        Column::left("why").wrapped(12),
    ]);
    for event in events {
        table.row([
            Cell::of(format::moment(event.at), Some(Meaning::Faint)),
            format!("{} ({})", event.actor, event.channel).into(),
            model(event).into(),
            Cell::of(what(event), meaning(event)),
            event.what.reason.clone().unwrap_or_default().into(),
        ]);
    }
    table
}

/// The meaning of an event: that of the stage which a version reached, or of a forced act.
fn meaning(event: &Event) -> Option<Meaning> {
    if !overrides_of(event).is_empty() {
        return Some(Meaning::Doubtful);
    }
    match event.what.kind {
        EventKind::StageChanged => {
            event.what.to.as_deref()?.parse().ok().and_then(Meaning::of_stage)
        }
        _ => None,
    }
}

fn model(event: &Event) -> String {
    let name = event.what.name.as_ref().map(ToString::to_string).unwrap_or_default();
    match event.what.version {
        Some(version) => format!("{name} {version}"),
        None => name,
    }
}

/// What happened, marked if the event was imported.
pub(crate) fn what(event: &Event) -> String {
    let details: Value = serde_json::from_str(&event.what.details).unwrap_or(Value::Null);
    let imported = if details["imported"].is_object() { " (imported)" } else { "" };
    let overridden = overrides_of(event);
    let forced = if overridden.is_empty() {
        String::new()
    } else {
        format!("; FORCED against {}", overridden.join("; "))
    };
    format!("{}{imported}{forced}", happened(event))
}

fn happened(event: &Event) -> String {
    let what = &event.what;
    let run = what.run_id.as_ref().map(format::short_run).unwrap_or_default();
    let to = what.to.as_deref().unwrap_or("?");
    let from = what.from.as_deref().unwrap_or("?");
    match (what.kind, &what.parent) {
        (EventKind::RunStarted, None) => format!("training started, run {run}"),
        (EventKind::RunStarted, Some(parent)) => {
            format!("training started, run {run}, parent {}", format::short_run(parent))
        }
        (EventKind::RunResumed, _) => format!("training resumed after {from}, run {run}"),
        (EventKind::RunEnded, _) => format!("training ended {to}, run {run}"),
        (EventKind::Registered, _) => format!("registered in {to}, run {run}"),
        (EventKind::Superseded, _) => format!("enhanced: {from} -> {to}"),
        (EventKind::Adopted, _) if what.from.is_some() => {
            format!("{from} -> {to}, changed outside herdbook")
        }
        (EventKind::Adopted, _) => match Seal::of(event) {
            Ok(Some(seal)) if seal.origin == SealOrigin::OlderHerdbook => {
                format!("sealed, {} metrics", seal.facts.metrics.len())
            }
            Ok(Some(_)) => format!("registered outside herdbook, in {to}, and sealed"),
            Ok(None) | Err(_) => format!("registered outside herdbook, in {to}"),
        },
        (EventKind::StageChanged, _) => format!("{from} -> {to}"),
        (EventKind::Evaluated, _) => Evaluation::of(event).map_or_else(
            || "evaluated".to_owned(),
            |found| {
                format!(
                    "evaluated on {} new bars: probability {} of beating flat and buy and hold",
                    format::count(found.n_bars as u64),
                    format::number(found.probability, 3)
                )
            },
        ),
        (EventKind::Repaired, _) => "repaired by `herdbook doctor`".to_owned(),
        (EventKind::Relocated, _) => "artifact locations updated by `herdbook relocate`".to_owned(),
        (EventKind::HistoryAccepted, _) => {
            "history accepted that differs from the one seen before".to_owned()
        }
        (EventKind::VersionDeleted, _) => format!("deleted in {from}"),
        (EventKind::ModelRenamed, _) => format!("renamed from {from}"),
    }
}
