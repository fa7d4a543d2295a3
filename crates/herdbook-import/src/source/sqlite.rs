//! Opening an SQLite database read only.
//!
//! A database in rollback mode is read in place: readers take locks and write nothing. To read a database in WAL mode, or with
//! a journal that a crash left behind, SQLite would write next to it. Such a database is first copied, with its journal, into
//! a temporary folder.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use herdbook_store::open_regular;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

/// Maximum number of attempts to copy the database if it is written during the copy.
const TRIES: u32 = 5;

/// An open database, and the folder of its copy if it had to be copied. The folder is removed when it is dropped.
pub(super) fn open(path: &Path) -> Result<(Connection, Option<TempDir>), String> {
    let copy = if must_be_copied(path).map_err(|error| error.to_string())? {
        Some(copied(path).map_err(|error| error.to_string())?)
    } else {
        None
    };
    let opened = match &copy {
        Some(folder) => folder.path().join("source.db"),
        None => path.to_owned(),
    };
    // SQLite replays the journal of the copy, which it has to write for that.
    let access = if copy.is_some() {
        OpenFlags::SQLITE_OPEN_READ_WRITE
    } else {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    };
    let conn = Connection::open_with_flags(opened, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| error.to_string())?;
    conn.busy_timeout(Duration::from_secs(30)).map_err(|error| error.to_string())?;
    Ok((conn, copy))
}

/// Whether SQLite would have to write next to the file to read it. In WAL mode, bytes 18 and 19 of the header are 2.
fn must_be_copied(path: &Path) -> std::io::Result<bool> {
    let mut header = [0_u8; 20];
    let n_read = open_regular(path)?.take(20).read(&mut header)?;
    let is_wal = n_read == 20 && (header[18] == 2 || header[19] == 2);
    Ok(is_wal || has_content(&beside(path, "-journal")))
}

fn has_content(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.len() > 0)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(ending);
    PathBuf::from(name)
}

/// A consistent copy of the database and its journal.
fn copied(path: &Path) -> std::io::Result<TempDir> {
    for _ in 0..TRIES {
        let folder = tempfile::Builder::new().prefix("herdbook-import-").tempdir()?;
        let before = state(path);
        for ending in ["", "-wal", "-journal"] {
            let from = beside(path, ending);
            if ending.is_empty() || has_content(&from) {
                fs::copy(from, beside(&folder.path().join("source.db"), ending))?;
            }
        }
        if state(path) == before {
            return Ok(folder);
        }
    }
    Err(std::io::Error::other(
        "it changed during every attempt to copy it: stop the programs that write to it, or import from the MLflow server",
    ))
}

/// Length and modification time of the database and its journals.
fn state(path: &Path) -> Vec<Option<(u64, SystemTime)>> {
    let of = |ending| {
        let file = fs::metadata(beside(path, ending)).ok()?;
        Some((file.len(), file.modified().ok()?))
    };
    ["", "-wal", "-journal"].map(of).into()
}
