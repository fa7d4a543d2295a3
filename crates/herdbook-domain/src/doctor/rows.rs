//! Checks of the columns of versions and runs against the history.

use super::breach::{Breach, BreachKind, Fix, Remedy, Repair, RunColumn, Subject, VersionColumn};
use super::difference::{Difference, list};
use super::location;
use super::log_index::LogIndex;
use super::records::{Records, RunRow, Storage, VersionOnRecord};
use super::replay::{Entry, Replay};
use super::run_replay::RunReplay;
use crate::values::{RunId, RunStatus, Timestamp, VersionKey};

/// Compares the row of a version with its registration. A deleted version has no breach: MLflow overwrites its columns.
pub(super) fn check_version(
    version: &VersionOnRecord,
    records: &Records,
    log: &LogIndex,
) -> Option<Breach> {
    let replay = log.replayed(&version.key).filter(|_| !version.deleted)?;
    let mut found = Differing::default();
    compare_run_id(version, replay, &mut found);
    if records.storage == Storage::Database {
        let run_id = replay.run_id.as_ref().or(version.run_id.as_ref());
        let run = run_id.and_then(|id| records.run_rows.get_key_value(id));
        compare_locations(version, replay, run, log, &mut found);
        compare_entry(version, replay, &mut found);
    }
    let subject = Subject::of_version(&version.key, replay.run_id.as_ref());
    let what = format!("{} differs from its registration (event {})", version.key, replay.event_id);
    found.breach(
        BreachKind::VersionRow,
        subject,
        &what,
        records.storage,
        log.time_for(&version.key.name),
    )
}

/// Columns that differ, and their repair.
#[derive(Default)]
struct Differing {
    differences: Vec<Difference>,
    fixes: Vec<Fix>,
    /// Whether the history does not say which value is right.
    is_undecided: bool,
}

impl Differing {
    fn add(&mut self, column: &str, found: Option<String>, recorded: String, fix: Fix) {
        self.differences.push(Difference::new(column, found, Some(recorded)));
        self.fixes.push(fix);
    }

    /// Adds a difference that cannot be repaired.
    fn name(&mut self, column: &str, found: Option<String>, recorded: String) {
        self.differences.push(Difference::new(column, found, Some(recorded)));
        self.is_undecided = true;
    }

    /// The breach of all columns that differ; `None` if none does.
    fn breach(
        self,
        kind: BreachKind,
        subject: Subject,
        what: &str,
        storage: Storage,
        at: Timestamp,
    ) -> Option<Breach> {
        let first = self.differences.first()?;
        let (from, to) = (first.found.clone(), first.recorded.clone());
        let remedy = match storage {
            _ if self.is_undecided => Remedy::None(
                "not repaired, because the version has no seal: compare the locations of run and version".to_owned(),
            ),
            Storage::Database => Remedy::Possible(Repair {
                outcome: "the recorded values are restored".to_owned(),
                at: Some(at),
                fixes: self.fixes,
                events: Vec::new(),
            }),
            Storage::Server => Remedy::None(
                "correct the row in the server's database, or restore it from a backup".to_owned(),
            ),
        };
        let message = format!("{what}: {}", list(&self.differences));
        Some(Breach { kind, subject, message, remedy }.with_event(from.as_deref(), to.as_deref()))
    }
}

fn compare_run_id(version: &VersionOnRecord, replay: &Replay, found: &mut Differing) {
    let Some(recorded) = &replay.run_id else { return };
    if version.row.run_id.as_deref() != Some(recorded.as_str()) {
        let column = VersionColumn::RunId(recorded.clone());
        let fix = Fix::VersionColumn(version.key.clone(), column);
        found.add("run_id", version.row.run_id.clone(), recorded.to_string(), fix);
    }
}

/// The location that MLflow loads, and the location of the run that it is part of. Without a seal only their agreement can be
/// checked: the history does not say which of the two is right.
fn compare_locations(
    version: &VersionOnRecord,
    replay: &Replay,
    run: Option<(&RunId, &RunRow)>,
    log: &LogIndex,
    found: &mut Differing,
) {
    let row = &version.row;
    let folder =
        replay.model_file.as_deref().map(|file| file.rsplit_once('/').map_or("", |it| it.0));
    let Some(seal) = log.seal(&version.key) else {
        if let (Some(folder), Some(uri)) =
            (folder, run.and_then(|(_, run)| run.artifact_uri.as_ref()))
        {
            let expected = joined(uri, folder);
            for (column, value) in
                [("source", &row.source), ("storage_location", &row.storage_location)]
            {
                if !value.as_ref().is_some_and(|value| location::is_same(value, &expected)) {
                    found.name(column, value.clone(), expected.clone());
                }
            }
        }
        return;
    };
    let possible = |sealed: &Option<String>| {
        sealed.as_ref().map(|sealed| location::possible(sealed, seal.event_id, log.moved()))
    };
    let is_one_of = |value: &Option<String>, possible: &[String]| {
        value.as_ref().is_some_and(|value| possible.iter().any(|one| location::is_same(one, value)))
    };
    let (sources, storages) =
        (possible(&seal.facts.source), possible(&seal.facts.storage_location));
    if let Some(sources) = sources.as_ref().filter(|sources| !is_one_of(&row.source, sources)) {
        let fix = VersionColumn::Source(sources[0].clone());
        let fix = Fix::VersionColumn(version.key.clone(), fix);
        found.add("source", row.source.clone(), sources[0].clone(), fix);
    }
    if let Some(storages) =
        storages.as_ref().filter(|storages| !is_one_of(&row.storage_location, storages))
    {
        let fix = VersionColumn::StorageLocation(storages[0].clone());
        let fix = Fix::VersionColumn(version.key.clone(), fix);
        found.add("storage_location", row.storage_location.clone(), storages[0].clone(), fix);
    }
    let (Some(folder), Some((run_id, run)), Some(sources)) = (folder, run, sources) else { return };
    let suffix = if folder.is_empty() { String::new() } else { format!("/{folder}") };
    let roots: Vec<String> = sources
        .iter()
        // A reference to the run does not say where its files are.
        .filter(|source| !source.starts_with("runs:/"))
        .filter_map(|source| source.strip_suffix(&suffix).map(str::to_owned))
        .collect();
    if let Some(root) = roots.first().filter(|_| !is_one_of(&run.artifact_uri, &roots)) {
        let fix = Fix::RunColumn(run_id.clone(), RunColumn::ArtifactUri(root.clone()));
        found.add("artifact_uri", run.artifact_uri.clone(), root.clone(), fix);
    }
}

fn joined(uri: &str, folder: &str) -> String {
    if folder.is_empty() { uri.to_owned() } else { format!("{uri}/{folder}") }
}

/// The moment of the registration and the user.
fn compare_entry(version: &VersionOnRecord, replay: &Replay, found: &mut Differing) {
    let (created_at, user) = match &replay.entry {
        Entry::Registered { at, actor } => (Some(*at), Some(actor)),
        Entry::Imported { at } => (*at, None),
        Entry::Adopted => (None, None),
    };
    let row = &version.row;
    if let Some(at) = created_at.filter(|at| row.created_at_ms != Some(at.millis())) {
        let fix = Fix::VersionColumn(version.key.clone(), VersionColumn::CreatedAt(at));
        found.add("creation_time", row.created_at_ms.map(millis), millis(at.millis()), fix);
    }
    if let Some(user) = user.filter(|user| row.user.as_ref() != Some(*user)) {
        let fix = Fix::VersionColumn(version.key.clone(), VersionColumn::User(user.clone()));
        found.add("user_id", row.user.clone(), user.clone(), fix);
    }
}

fn millis(millis: i64) -> String {
    millis.to_string()
}

/// Compares the rows of all runs with the history.
pub(super) fn check_runs(records: &Records, log: &LogIndex) -> Vec<Breach> {
    let rows = records.run_rows.iter();
    rows.filter_map(|(run_id, row)| {
        let replay = log.runs_replayed().get(run_id)?;
        check_run(run_id, row, replay, records, log)
    })
    .collect()
}

fn check_run(
    run_id: &RunId,
    row: &RunRow,
    replay: &RunReplay,
    records: &Records,
    log: &LogIndex,
) -> Option<Breach> {
    let mut found = Differing::default();
    compare_end(run_id, row, replay, &mut found);
    if let (Storage::Database, Some((at, actor))) = (records.storage, &replay.started) {
        if row.started_at_ms != Some(at.millis()) {
            let fix = Fix::RunColumn(run_id.clone(), RunColumn::StartedAt(*at));
            found.add("start_time", row.started_at_ms.map(millis), millis(at.millis()), fix);
        }
        if row.user.as_ref() != Some(actor) {
            let fix = Fix::RunColumn(run_id.clone(), RunColumn::User(actor.clone()));
            found.add("user_id", row.user.clone(), actor.clone(), fix);
        }
    }
    let key = log.registered_from(run_id);
    let subject = Subject {
        name: key.map(|key| key.name.clone()).or_else(|| log.started(run_id).cloned()),
        version: key.map(|key| key.version),
        run_id: Some(run_id.clone()),
    };
    let of_version = key.map(|key| format!(" of {key}")).unwrap_or_default();
    let what = format!("run `{run_id}`{of_version} differs from the history");
    let at = subject.name.as_ref().map_or(records.now, |name| log.time_for(name));
    found.breach(BreachKind::RunRow, subject, &what, Storage::Database, at)
}

/// The status and the end of a run that has ended. A run that herdbook left RUNNING may be ended by another program.
fn compare_end(run_id: &RunId, row: &RunRow, replay: &RunReplay, found: &mut Differing) {
    let Some(status) = replay.status.filter(|status| *status != RunStatus::Running) else {
        return;
    };
    if row.status.as_deref() != Some(status.as_str()) {
        let fix = Fix::RunColumn(run_id.clone(), RunColumn::Status(status));
        found.add("status", row.status.clone(), status.to_string(), fix);
    }
    if let Some(at) = replay.ended_at.filter(|at| row.ended_at_ms != Some(at.millis())) {
        let fix = Fix::RunColumn(run_id.clone(), RunColumn::EndedAt(at));
        found.add("end_time", row.ended_at_ms.map(millis), millis(at.millis()), fix);
    }
}

/// The key of a version as text, for the event of a repair.
pub(super) fn text_of(key: &VersionKey) -> String {
    format!("version {}", key.version)
}
