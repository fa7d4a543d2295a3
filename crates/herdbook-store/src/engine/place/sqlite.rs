//! The place of a database file.

use std::fs;
use std::path::{Path, PathBuf};

use super::original::{self, Other};
use super::state::PlaceState;
use crate::artifacts::place::local_folder;
use crate::engine::db::{Conn, params};
use crate::error::StoreError;

/// The path of a database file without links; `None` if it cannot be written as text.
pub(super) fn place_of(path: &Path) -> Option<String> {
    fs::canonicalize(path).ok()?.to_str().map(str::to_owned)
}

/// The state of a store whose database is `here`, and was recorded elsewhere.
pub(super) fn state(conn: &Conn, recorded: &str, here: &str) -> Result<PlaceState, StoreError> {
    let (there, present) = (Path::new(recorded), Path::new(here));
    if is_same_file(there, present) {
        return Ok(if has_other_names(present) {
            // Of a hard link SQLite knows nothing: each name has a write-ahead log of its own.
            PlaceState::Copied { original: recorded.to_owned(), copy: here.to_owned() }
        } else {
            PlaceState::Home
        });
    }
    let is_copy =
        exists(there) && matches!(original::compare(conn, there)?, Other::Same | Other::Unreadable);
    if is_copy {
        return Ok(PlaceState::Copied { original: recorded.to_owned(), copy: here.to_owned() });
    }
    let (from, to) = (folder_of(there), folder_of(present));
    let works = from == to || (artifacts(conn, &from, &to)? == Artifacts::InPlace);
    Ok(if works {
        PlaceState::DatabaseMoved { from: recorded.to_owned(), to: here.to_owned() }
    } else {
        PlaceState::Moved { from, to }
    })
}

/// The former path of a database that was moved or copied before its place was recorded, by the folders of its
/// experiments; `None` if nothing speaks against its present path.
pub(super) fn place_by_artifacts(conn: &Conn, here: &str) -> Result<Option<String>, StoreError> {
    let present = Path::new(here);
    let (Some(name), to) = (present.file_name(), folder_of(present)) else { return Ok(None) };
    let mut bases: Vec<PathBuf> = locations(conn)?
        .iter()
        .filter_map(|folder| Some(folder.parent()?.parent()?.to_owned()))
        .filter(|base| *base != to)
        .collect();
    bases.sort_unstable();
    bases.dedup();
    for base in bases {
        let candidate = base.join(name);
        let Some(text) = candidate.to_str() else { continue };
        if exists(&candidate) {
            let is_other_file = !is_same_file(&candidate, present);
            if is_other_file && original::compare(conn, &candidate)? == Other::Same {
                return Ok(Some(text.to_owned()));
            }
        } else if artifacts(conn, &base, &to)? == Artifacts::Moved {
            return Ok(Some(text.to_owned()));
        }
    }
    Ok(None)
}

/// Where the artifacts of a moved database are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Artifacts {
    /// Where the records say, or outside of the recorded folder.
    InPlace,
    /// Beside the present database, or nowhere.
    Moved,
}

/// Looks for the folders of the experiments below `from`, and in the same places below `to`.
fn artifacts(conn: &Conn, from: &Path, to: &Path) -> Result<Artifacts, StoreError> {
    let mut is_stranded = false;
    let mut is_in_place = false;
    for folder in locations(conn)? {
        let Ok(tail) = folder.strip_prefix(from) else { continue };
        if to.join(tail).is_dir() {
            return Ok(Artifacts::Moved);
        }
        if folder.is_dir() {
            is_in_place = true;
        } else {
            is_stranded = true;
        }
    }
    Ok(if is_stranded && !is_in_place { Artifacts::Moved } else { Artifacts::InPlace })
}

/// The local folders of all experiments.
fn locations(conn: &Conn) -> Result<Vec<PathBuf>, StoreError> {
    let sql = "SELECT artifact_location FROM experiments ORDER BY experiment_id";
    let texts =
        conn.query(sql, params![], |row| Ok(row.get::<Option<String>>(0).unwrap_or(None)))?;
    Ok(texts.iter().flatten().filter_map(|text| local_folder(text)).collect())
}

fn folder_of(database: &Path) -> PathBuf {
    database.parent().unwrap_or(Path::new("/")).to_owned()
}

/// Whether something lies at a path. A path that may not be looked at counts.
fn exists(path: &Path) -> bool {
    !matches!(fs::metadata(path), Err(error) if error.kind() == std::io::ErrorKind::NotFound
        || error.kind() == std::io::ErrorKind::NotADirectory)
}

/// Whether a file has several names.
#[cfg(unix)]
fn has_other_names(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).is_ok_and(|file| file.nlink() > 1)
}

#[cfg(not(unix))]
fn has_other_names(_path: &Path) -> bool {
    false
}

/// Whether two paths lead to one file: by a hard link or a bind mount, or over two mounts of one file system, where the
/// devices differ.
#[cfg(unix)]
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(one), Ok(other)) = (fs::metadata(one), fs::metadata(other)) else { return false };
    let times = |file: &fs::Metadata| (file.len(), file.ctime(), file.ctime_nsec());
    one.ino() == other.ino() && (one.dev() == other.dev() || times(&one) == times(&other))
}

#[cfg(not(unix))]
pub(crate) fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}
