//! Which locations are updated, and what stands against it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use herdbook_domain::{EventKind, RunId, VersionKey};

use super::locations::{self, Location, Place};
use super::request::{Move, RelocateRequest, Relocation};
use crate::artifacts::disk::LocalDisk;
use crate::artifacts::hashing::sha256;
use crate::artifacts::local::LocalArtifacts;
use crate::artifacts::place::local_folder;
use crate::artifacts::streams::ArtifactStore;
use crate::clock::now;
use crate::engine::db::{Conn, params};
use crate::engine::place::recorded;
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::event::{self, RegisteredFile};
use crate::tables::lease::{self, Liveness};
use crate::tables::version;

/// The updates of a relocation, as far as the records and the existence of folders decide them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    moves: Vec<Move>,
    updates: Vec<(Location, String)>,
    n_in_place: usize,
    n_without_files: usize,
    problems: Vec<String>,
    files: Vec<File>,
}

/// A file of a version, in a folder that was moved.
#[derive(Debug, PartialEq, Eq)]
struct File {
    key: VersionKey,
    /// Its path below the folder.
    path: String,
    /// Lower-case hex SHA-256, by the history.
    sha256: String,
    /// The present folder.
    folder: PathBuf,
}

/// What becomes of a location.
enum Fate {
    /// Its files are in this folder now.
    Moved(PathBuf),
    /// It has files neither in its former nor in this folder.
    Empty(PathBuf),
    /// Its files are where they were.
    InPlace,
    /// No move covers it.
    Outside,
}

impl Plan {
    pub(super) fn of(
        conn: &Conn,
        store: &Store,
        request: &RelocateRequest,
    ) -> Result<Self, StoreError> {
        let found = locations::all(conn)?;
        let moves = moves(conn, store, request, &found)?;
        let fates: Vec<Fate> = found.iter().map(|location| fate(location, &moves)).collect();
        let has_moved = fates.iter().any(|fate| matches!(fate, Fate::Moved(_)));
        let is_in_place = fates.iter().any(|fate| matches!(fate, Fate::InPlace));
        // Only the database was moved: the artifacts belong together, also those of experiments without files.
        let stays = !request.is_copy && is_in_place && !has_moved;
        let mut plan = Self {
            moves,
            updates: vec![],
            n_in_place: 0,
            n_without_files: 0,
            problems: vec![],
            files: vec![],
        };
        for (location, fate) in found.into_iter().zip(fates) {
            match fate {
                Fate::Empty(_) if stays => plan.n_in_place += 1,
                Fate::Moved(folder) | Fate::Empty(folder) => plan.update(conn, location, &folder),
                Fate::InPlace if request.is_copy => plan.problems.push(format!(
                    "{}: `{}` was not copied",
                    location.name(),
                    location.text
                )),
                Fate::InPlace => plan.n_in_place += 1,
                Fate::Outside if request.is_copy && location.is_written() => {
                    plan.problems.push(format!(
                        "{}: `{}` is used by the original too: copy it, and name the folders with `--from` and `--to`",
                        location.name(),
                        location.text
                    ));
                }
                Fate::Outside => {
                    plan.n_without_files += usize::from(location.is_run_without_files());
                }
            }
        }
        plan.moves.retain(|one| {
            plan.updates.iter().any(|(location, _)| match &location.place {
                Place::Absolute(folder) => folder.starts_with(&one.from),
                Place::Relative(_) => false,
            })
        });
        plan.files = files(conn, &plan.updates)?;
        if !request.is_copy {
            plan.problems.extend(trainings(conn)?);
        }
        Ok(plan)
    }

    fn update(&mut self, conn: &Conn, location: Location, folder: &Path) {
        let text = location.text_for(folder);
        if location.is_too_long(&text, conn.dialect()) {
            self.problems.push(format!(
                "{}: `{text}` is longer than the {} characters that MLflow stores: use a folder with a shorter path",
                location.name(),
                location.longest(),
            ));
        } else if text != location.text {
            self.updates.push((location, text));
        }
    }

    /// The locations to update, and their new texts.
    pub(super) fn updates(&self) -> impl Iterator<Item = (&Location, &str)> {
        self.updates.iter().map(|(location, text)| (location, text.as_str()))
    }

    /// Compares every registered file at its new place with its hash in the history.
    pub(super) fn check_files(&self, store_id: String) -> Relocation {
        let mut problems = self.problems.clone();
        for File { key, path: file, sha256: registered, folder } in &self.files {
            let artifacts = LocalArtifacts::new(folder.clone(), Arc::new(LocalDisk));
            let path = artifacts.location_of(file);
            let found = match artifacts.open(file, None) {
                Ok(Some(mut content)) => sha256(&mut *content).map_err(|error| error.to_string()),
                Ok(None) => Err("it is missing".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            match found {
                Ok(hash) if hash == *registered => {}
                Ok(hash) => problems.push(format!(
                    "the file `{}` of {key} was altered: its SHA-256 is {hash}, registered was {registered}",
                    path.display(),
                )),
                Err(problem) => {
                    problems.push(format!("the file `{}` of {key}: {problem}", path.display()));
                }
            }
        }
        let mut locations: BTreeMap<String, usize> = BTreeMap::new();
        for (location, _) in &self.updates {
            let name = format!("{}.{}", location.column.table, location.column.name);
            *locations.entry(name).or_default() += 1;
        }
        Relocation {
            is_needed: !self.updates.is_empty(),
            moves: self.moves.clone(),
            locations,
            n_files: self.files.len(),
            n_in_place: self.n_in_place,
            n_without_files: self.n_without_files,
            problems,
            store_id,
        }
    }
}

fn fate(location: &Location, moves: &[Move]) -> Fate {
    let former = match &location.place {
        Place::Absolute(folder) => folder,
        Place::Relative(tail) => {
            let is_below = tail.components().all(|part| matches!(part, Component::Normal(_)));
            let found = moves.iter().map(|one| one.to.join(tail)).find(|folder| folder.is_dir());
            return found.filter(|_| is_below).map_or(Fate::Outside, Fate::Moved);
        }
    };
    let fitting = moves.iter().filter(|one| former.starts_with(&one.from));
    let Some(fitting) = fitting.max_by_key(|one| one.from.components().count()) else {
        return Fate::Outside;
    };
    let tail = former.strip_prefix(&fitting.from).unwrap_or(Path::new(""));
    let folder = if tail == Path::new("") { fitting.to.clone() } else { fitting.to.join(tail) };
    if folder.exists() {
        Fate::Moved(folder)
    } else if former.exists() {
        Fate::InPlace
    } else {
        Fate::Empty(folder)
    }
}

/// The moves that the request names, that of the database's folder, and those that the places of files show.
fn moves(
    conn: &Conn,
    store: &Store,
    request: &RelocateRequest,
    found: &[Location],
) -> Result<Vec<Move>, StoreError> {
    let mut moves: BTreeSet<Move> = request.moves.iter().cloned().collect();
    let database = store.location().database_file();
    let present =
        database.and_then(|file| std::fs::canonicalize(file).ok()?.parent().map(Path::to_owned));
    if let Some(present) = &present
        && let Some(recorded) = recorded::read(conn)?
        && let Some(former) = Path::new(&recorded.database).parent()
        && former != present
    {
        moves.insert(Move { from: former.to_owned(), to: present.clone() });
    }
    if let Some(to) = request.to.as_ref().or(present.as_ref()) {
        let folders: BTreeSet<&Path> = found
            .iter()
            .filter_map(|location| match &location.place {
                Place::Absolute(folder) if request.is_copy || !folder.exists() => {
                    Some(folder.as_path())
                }
                _ => None,
            })
            .collect();
        for folder in folders {
            if !moves.iter().any(|one| folder.starts_with(&one.from)) {
                moves.extend(inferred(folder, to));
            }
        }
    }
    for one in &moves {
        if !one.to.is_absolute() || one.to.to_str().is_none() {
            return Err(StoreError::NotUtf8 { path: one.to.clone() });
        }
    }
    Ok(moves.into_iter().filter(|one| one.from != one.to).collect())
}

/// A problem for each training that is alive: it goes on writing to the former folder.
fn trainings(conn: &Conn) -> Result<Vec<String>, StoreError> {
    let runs: Vec<String> = conn.query(
        "SELECT l.run_uuid FROM herdbook_leases l JOIN runs r ON r.run_uuid = l.run_uuid
         WHERE r.status = 'RUNNING' ORDER BY l.run_uuid",
        params![],
        |row| row.get(0),
    )?;
    let mut problems = Vec::new();
    for run_id in runs.iter().filter_map(|run_id| RunId::parse(run_id).ok()) {
        let lease = lease::of_run(conn, &run_id)?;
        if lease.is_some_and(|lease| lease.liveness(now()) != Some(Liveness::Dead)) {
            problems.push(format!(
                "the run `{run_id}` is training: end it first, or wait until it has ended"
            ));
        }
    }
    Ok(problems)
}

/// The move of a missing folder, if its last parts exist below `to`.
fn inferred(folder: &Path, to: &Path) -> Option<Move> {
    let parts: Vec<Component<'_>> = folder.components().collect();
    (1..parts.len()).find_map(|n_before| {
        let tail: PathBuf = parts[n_before..].iter().collect();
        let from: PathBuf = parts[..n_before].iter().collect();
        to.join(&tail).is_dir().then(|| Move { from, to: to.to_owned() })
    })
}

/// The files of all versions with a hash in the history: the model file in the folder of its run, and those that the version's
/// seal names, in the folder that MLflow serves. Only those at updated locations.
fn files(conn: &Conn, updates: &[(Location, String)]) -> Result<Vec<File>, StoreError> {
    let new = New::of(updates);
    let sql = format!(
        "SELECT {} FROM model_versions v
         WHERE v.workspace = 'default' AND v.current_stage <> 'Deleted_Internal'
         ORDER BY v.name, v.version",
        version::COLUMNS
    );
    let mut files = Vec::new();
    for record in conn.query(&sql, params![], version::from_row)?.into_iter().flatten() {
        let key = record.key;
        let registered = event::registered_file(conn, &key)?;
        let folder = registered.as_ref().and_then(|file| new.folder_of_run(&file.run_id));
        if let (Some(RegisteredFile { artifact, sha256, .. }), Some(folder)) = (registered, folder)
        {
            files.push(File { key: key.clone(), path: artifact, sha256, folder });
        }
        if let Some(folder) = new.served_folder(&key) {
            for (path, sha256) in sealed_files(conn, &key)? {
                files.push(File { key: key.clone(), path, sha256, folder: folder.clone() });
            }
        }
    }
    Ok(files)
}

/// The updated texts, by the record that has them.
struct New<'a> {
    of_runs: BTreeMap<&'a str, &'a str>,
    of_versions: BTreeMap<(&'a str, &'a str), &'a str>,
}

impl<'a> New<'a> {
    fn of(updates: &'a [(Location, String)]) -> Self {
        let mut new = Self { of_runs: BTreeMap::new(), of_versions: BTreeMap::new() };
        for (location, text) in updates {
            match (location.column.table, location.column.name, location.key.as_slice()) {
                ("runs", _, [run_id]) => {
                    new.of_runs.insert(run_id, text);
                }
                // MLflow serves the storage location, and the source of a version that has none.
                ("model_versions", "storage_location", [_, name, version]) => {
                    new.of_versions.insert((name, version), text);
                }
                ("model_versions", _, [_, name, version]) => {
                    new.of_versions.entry((name, version)).or_insert(text);
                }
                _ => {}
            }
        }
        new
    }

    fn folder_of_run(&self, run_id: &RunId) -> Option<PathBuf> {
        local_folder(self.of_runs.get(run_id.as_str())?)
    }

    fn served_folder(&self, key: &VersionKey) -> Option<PathBuf> {
        let version = key.version.to_string();
        local_folder(self.of_versions.get(&(key.name.as_str(), version.as_str()))?)
    }
}

/// Paths and hashes of the files that the seal of a version names.
fn sealed_files(conn: &Conn, key: &VersionKey) -> Result<Vec<(String, String)>, StoreError> {
    let details: Vec<String> = conn.query(
        "SELECT details FROM herdbook_events WHERE name = ?1 AND version = ?2 AND kind IN (?3, ?4)
         ORDER BY id",
        params![
            key.name.as_str(),
            key.version.get(),
            EventKind::Registered.as_str(),
            EventKind::Adopted.as_str()
        ],
        |row| row.get(0),
    )?;
    let files = details.iter().find_map(|details| {
        let details: serde_json::Value = serde_json::from_str(details).ok()?;
        details["sealed"]["files"].as_object().cloned()
    });
    let hash = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    Ok(files.iter().flatten().map(|(path, sha256)| (path.clone(), hash(sha256))).collect())
}
