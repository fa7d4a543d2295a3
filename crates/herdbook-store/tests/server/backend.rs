//! The suite's store: the server that `cargo xtask test` has started, emptied before each test. So its tests run one after
//! another.

use std::path::{Path, PathBuf};
use std::time::Duration;

use herdbook_store::Location;

/// The server's database as a foreign program sees it.
pub(crate) type Foreign = rusqlite::Connection;

/// All that the server keeps.
pub(crate) struct Database {
    pub(crate) location: Location,
    file: PathBuf,
}

impl Database {
    pub(crate) fn new(folder: &Path) -> Self {
        let named = |name: &str| {
            std::env::var(name)
                .unwrap_or_else(|_| panic!("{name} is missing; `cargo xtask test` starts a server"))
        };
        let location = Location::resolve(Some(&named("HERDBOOK_TEST_SERVER")), folder).unwrap();
        let database = Self { location, file: named("HERDBOOK_TEST_SERVER_DATABASE").into() };
        database.foreign().execute_batch(EMPTY).unwrap();
        database
    }

    pub(crate) fn foreign(&self) -> Foreign {
        let conn = rusqlite::Connection::open(&self.file).unwrap();
        conn.busy_timeout(Duration::from_secs(30)).unwrap();
        conn
    }
}

const EMPTY: &str = "
    PRAGMA foreign_keys = OFF;
    BEGIN IMMEDIATE;
    DELETE FROM metrics; DELETE FROM latest_metrics; DELETE FROM params; DELETE FROM tags;
    DELETE FROM runs; DELETE FROM experiment_tags; DELETE FROM experiments WHERE experiment_id <> 0;
    DELETE FROM model_version_tags; DELETE FROM model_versions; DELETE FROM registered_model_aliases;
    DELETE FROM registered_model_tags; DELETE FROM registered_models;
    COMMIT;";

/// The number that a query answers, if it has a row.
pub(crate) fn number(foreign: &Foreign, sql: &str) -> Option<i64> {
    foreign.query_row(sql, [], |row| row.get(0)).ok()
}

/// How many trainings each of several writers makes in a race. A training takes seconds here.
pub(crate) const RACE_ROUNDS: i64 = 2;
