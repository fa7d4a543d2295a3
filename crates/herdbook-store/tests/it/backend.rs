//! The suite's database: a file.

use std::path::Path;
use std::time::Duration;

use herdbook_store::Location;

/// The database as a foreign program sees it.
pub(crate) type Foreign = rusqlite::Connection;

/// A database of a test's own.
pub(crate) struct Database {
    pub(crate) location: Location,
    file: std::path::PathBuf,
}

impl Database {
    pub(crate) fn new(folder: &Path) -> Self {
        let location = Location::resolve(None, folder).unwrap();
        Self { location, file: folder.join("mlflow.db") }
    }

    pub(crate) fn foreign(&self) -> Foreign {
        let conn = rusqlite::Connection::open(&self.file).unwrap();
        conn.busy_timeout(Duration::from_secs(30)).unwrap();
        conn
    }
}

/// The number that a query answers, if it has a row.
pub(crate) fn number(foreign: &Foreign, sql: &str) -> Option<i64> {
    foreign.query_row(sql, [], |row| row.get(0)).ok()
}

/// How many trainings each of several writers makes in a race.
pub(crate) const RACE_ROUNDS: i64 = 5;
