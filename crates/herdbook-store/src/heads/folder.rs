//! The files in which ends of histories are remembered, one per store and one per place.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use herdbook_domain::hex_sha256;
use serde::{Deserialize, Serialize};

use crate::artifacts::regular::read_regular;
use crate::clock::{new_id, now};
use crate::history_change::HeadOnRecord;

/// Version of the format.
const VERSION: u32 = 1;
/// Longest file that is read, in bytes. The longest that is written has a path and a few short values.
const LONGEST: u64 = 64 << 10;

/// The folder for the state of herdbook on this machine: `$XDG_STATE_HOME/herdbook`, else `~/.local/state/herdbook`. `None`
/// if the user has no home folder.
pub fn standard_state_folder() -> Option<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .and_then(absolute)
        .or_else(|| {
            let home = std::env::home_dir().and_then(absolute)?;
            home.is_dir().then(|| home.join(".local/state"))
        })
        .map(|state| state.join("herdbook"))
}

/// What is remembered of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Memory {
    v: u32,
    /// The id of the store.
    pub(super) store: String,
    /// Its place.
    pub(super) place: String,
    /// The end of its history.
    #[serde(flatten)]
    pub(super) head: HeadOnRecord,
    /// When the end was seen, in milliseconds since the Unix epoch.
    seen_at_ms: i64,
}

impl Memory {
    pub(super) fn new(store: &str, place: &str, head: HeadOnRecord) -> Self {
        let (store, place) = (store.to_owned(), place.to_owned());
        Self { v: VERSION, store, place, head, seen_at_ms: now().millis() }
    }
}

/// Whose memory is meant.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key<'a> {
    Store(&'a str),
    Place(&'a str),
}

impl Key<'_> {
    /// The file of a memory. Ids and places come from the store, so a hash of them is the name.
    fn file(self, folder: &Path) -> PathBuf {
        let (kind, text) = match self {
            Self::Store(id) => ("store", id),
            Self::Place(place) => ("place", place),
        };
        folder.join("heads").join(format!("{kind}-{}.json", &hex_sha256(text.as_bytes())[..32]))
    }
}

/// Reads a memory; `None` if there is none, or if a power loss has left an unreadable file.
///
/// # Errors
/// Those of the file system, and of a file that a newer version wrote; [`io::ErrorKind::InvalidData`] if the file exists and its
/// content cannot be used.
pub(super) fn read(folder: &Path, key: Key<'_>) -> io::Result<Option<Memory>> {
    let path = key.file(folder);
    let text = match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Ok(file) if !file.is_file() || file.len() > LONGEST => {
            return Err(damaged(format!("`{}` is not a file of herdbook", path.display())));
        }
        Err(error) => return Err(error),
        Ok(_) => read_regular(&path, LONGEST)
            .map_err(|error| damaged(format!("`{}` cannot be read ({error})", path.display())))?,
    };
    match serde_json::from_slice::<Memory>(&text) {
        Ok(memory) if memory.v > VERSION => {
            Err(io::Error::other(format!("`{}` was written by a newer herdbook", path.display())))
        }
        Ok(memory) => Ok(Some(memory)),
        Err(_) if text.iter().all(|byte| *byte == 0) => Ok(None),
        Err(error) => Err(damaged(format!("`{}` cannot be parsed ({error})", path.display()))),
    }
}

/// The error of a memory that exists and cannot be used.
fn damaged(problem: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

/// Writes a memory under another name and renames it: readers see the former one or this one.
///
/// # Errors
/// Those of the file system.
pub(super) fn write(folder: &Path, key: Key<'_>, memory: &Memory) -> io::Result<()> {
    let path = key.file(folder);
    let parent = path.parent().unwrap_or(folder);
    create_private(parent)?;
    let temporary = parent.join(format!(".{}.tmp", new_id()));
    let text = serde_json::to_vec(memory).map_err(io::Error::other)?;
    let written = fs::write(&temporary, text).and_then(|()| fs::rename(&temporary, &path));
    if written.is_err() {
        // Best effort: the first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Creates a folder that only its user may look into.
fn create_private(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
