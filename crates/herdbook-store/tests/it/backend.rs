//! The suite's database: an SQLite file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use herdbook_domain::RunId;
use herdbook_store::{Location, Missing, OpenOptions, Session, Store, StoreError};

use crate::herd;

/// The database as another program sees it.
pub(crate) type Foreign = rusqlite::Connection;

/// The database of one test.
pub(crate) struct Database {
    pub(crate) location: Location,
    file: PathBuf,
}

impl Database {
    pub(crate) fn new(folder: &Path) -> Self {
        let location = Location::resolve(None, folder).unwrap();
        Self { location, file: folder.join("mlflow.db") }
    }

    /// The path of an artifact.
    #[expect(clippy::unused_self, reason = "another backend needs it")]
    pub(crate) fn file_of(&self, store: &Store, run_id: &RunId, artifact: &str) -> PathBuf {
        store.artifact_path(run_id, artifact).unwrap()
    }

    pub(crate) fn foreign(&self) -> Foreign {
        let conn = rusqlite::Connection::open(&self.file).unwrap();
        conn.busy_timeout(Duration::from_secs(30)).unwrap();
        conn
    }
}

/// Opens the store at a location as the tester.
pub(crate) fn open(location: &Location, missing: Missing) -> Result<Session, StoreError> {
    open_with(location, &herd::options(missing))
}

/// As [`open`], with these options.
pub(crate) fn open_with(location: &Location, options: &OpenOptions) -> Result<Session, StoreError> {
    Ok(herd::session(&Store::open(location.clone(), options)?))
}

/// Removes all but the first event, or act, of the history.
pub(crate) const SHORTENED: &str = "DELETE FROM herdbook_events WHERE id > 1";

/// The number in the first row of a query, if it has one.
pub(crate) fn number(foreign: &Foreign, sql: &str) -> Option<i64> {
    foreign.query_row(sql, [], |row| row.get(0)).ok()
}

/// Number of trainings of each writer in a race.
pub(crate) const RACE_ROUNDS: i64 = 5;

/// Changes the leases to those of a process that has ended.
pub(crate) const OF_ANOTHER_PROCESS: &str =
    "UPDATE herdbook_leases SET process_started = process_started + 1";
/// Removes the leases.
pub(crate) const WITHOUT_LEASES: &str = "DELETE FROM herdbook_leases";
