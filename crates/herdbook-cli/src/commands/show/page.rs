//! The page about one version: its result, the evidence since its training, its pictures and its history.

use herdbook_domain::{Event, Symbol, hex_sha256};
use herdbook_store::{Store, StoreError, VersionRecord};
use herdbook_training::{Cells, Page, TextTable, details_of_version};

use crate::commands::history;
use crate::evidence::Since;
use crate::failure::Failure;
use crate::format;

/// The pictures of a training, in the order in which they are shown.
const PICTURES: [&str; 5] =
    ["equity.svg", "trades.svg", "actions.svg", "learning.svg", "improvement.svg"];

/// The page as HTML.
pub(super) fn of_version(
    store: &Store,
    version: &VersionRecord,
    events: &[Event],
    since: &Since,
) -> Result<String, Failure> {
    let key = &version.key;
    let mut page = Page::new(&format!("{} version {}", key.name, key.version));
    page.note(&circumstances(version));
    let details = details_of_version(store, version)?;
    match &details {
        Ok(found) => {
            let cost_bps = found.windows.last().map_or(0.0, |own| own.cost_bps);
            page.result(found, version.honesty(), cost_bps);
        }
        Err(why) => {
            page.verdict(&format!("no result beside other windows and simple rules: {why}"));
        }
    }
    page.heading("Evidence since training");
    for line in since.lines().lines() {
        page.paragraph(line.trim_start().trim_start_matches("evidence since training: "));
    }
    page.heading("History (UTC)");
    page.table(&history_table(events), Cells::Words);
    add_pictures(&mut page, store, version)?;
    if let Ok(found) = &details {
        page.result_in_depth(found);
    }
    let metrics = version.finite_metrics();
    let is_shown = |name: &str| !name.starts_with("training/");
    let shown = metrics.iter().filter(|(name, _)| is_shown(name));
    page.metrics(shown.map(|(name, value)| (name.as_str(), *value)));
    let mut tags = TextTable { heading: vec![String::new(); 2], rows: Vec::new() };
    tags.rows.extend(version.tags_by_seal().into_iter().map(|(key, value)| vec![key, value]));
    page.folded_table("All tags", &tags, Cells::Words);
    Ok(page.to_html())
}

/// One line about instrument, type, stage and honesty.
fn circumstances(version: &VersionRecord) -> String {
    let tags = version.tags_by_seal();
    let tag = |key: &str| tags.get(key).cloned();
    let parts = [
        version.symbol().map(Symbol::to_string),
        version.timeframe().map(|timeframe| timeframe.to_string()),
        tag("model_type"),
        tag("promotion_stage").map(|stage| format!("in {stage}")),
        Some(format!("honesty {}", version.honesty())),
        Some(format!("registered {} (UTC)", format::moment(version.created_at))),
        version.run_id.as_ref().map(|run_id| format!("run {run_id}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

fn history_table(events: &[Event]) -> TextTable {
    let heading = ["when", "who", "what", "why"].map(str::to_owned).to_vec();
    let rows = events.iter().map(|event| {
        vec![
            format::moment(event.at),
            event.actor.clone(),
            history::what(event),
            event.what.reason.clone().unwrap_or_default(),
        ]
    });
    TextTable { heading, rows: rows.collect() }
}

fn add_pictures(page: &mut Page, store: &Store, version: &VersionRecord) -> Result<(), Failure> {
    page.heading("Pictures");
    let Some(run_id) = &version.run_id else {
        page.note("The version has no run, so there are no pictures.");
        return Ok(());
    };
    let names = match store.artifact_names(run_id, "pictures") {
        Ok(names) => names,
        Err(
            error @ (StoreError::NoSuchRun { .. }
            | StoreError::Artifact { .. }
            | StoreError::ForeignArtifacts { .. }),
        ) => {
            page.note(&format!("The pictures cannot be read: {error}."));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let stored: Vec<&str> =
        PICTURES.into_iter().filter(|name| names.iter().any(|it| it == name)).collect();
    if stored.is_empty() {
        page.note("The run has no pictures.");
    }
    // Older builds sealed no pictures.
    let sealed = store.sealed_files(run_id)?;
    for name in stored {
        let path = format!("pictures/{name}");
        match store.read_artifact(run_id, &path) {
            Ok(svg) if sealed.get(&path).is_some_and(|sha256| *sha256 != hex_sha256(&svg)) => page
                .note(&format!(
                    "The picture {name} is left out: it was altered after the training. Restore it from a backup."
                )),
            Ok(svg) => page.picture(name, &String::from_utf8_lossy(&svg)),
            Err(error) => page.note(&format!("The picture {name} cannot be read: {error}.")),
        }
    }
    Ok(())
}
