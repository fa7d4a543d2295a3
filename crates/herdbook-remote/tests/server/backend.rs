//! The suite's store: the server that `cargo xtask test` has started, emptied before each test. So the tests run one after
//! another.

use std::path::{Path, PathBuf};
use std::time::Duration;

use herdbook_domain::RunId;
use herdbook_store::{Location, Missing, OpenOptions, Session, Store, StoreError};

use crate::herd;

/// The server's database as another program sees it.
pub(crate) type Foreign = rusqlite::Connection;

/// All data of the server.
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
        // The experiment of a new store is kept.
        on_every_table(&database.foreign(), |table| match table {
            "experiments" => "DELETE FROM experiments WHERE experiment_id <> 0".to_owned(),
            table => format!("DELETE FROM {table}"),
        });
        database
    }

    /// Copies the server's data into a file in a folder.
    pub(crate) fn kept_in(&self, folder: &Path) -> PathBuf {
        let copy = folder.join("past.db");
        self.foreign().execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
        copy
    }

    /// Replaces the server's data by the copy.
    pub(crate) fn put_back(&self, copy: &Path) {
        let conn = self.foreign();
        conn.execute("ATTACH ?1 AS past", [copy.to_str().unwrap()]).unwrap();
        on_every_table(&conn, |table| {
            format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM past.{table}")
        });
    }

    /// The path of an artifact on the server.
    pub(crate) fn file_of(&self, _: &Store, run_id: &RunId, artifact: &str) -> PathBuf {
        let sql = "SELECT artifact_uri FROM runs WHERE run_uuid = ?1";
        let uri: String =
            self.foreign().query_row(sql, [run_id.as_str()], |row| row.get(0)).unwrap();
        let folder = uri.strip_prefix("mlflow-artifacts:/").unwrap();
        self.file.with_file_name("mlartifacts").join(folder).join(artifact)
    }

    pub(crate) fn foreign(&self) -> Foreign {
        let conn = rusqlite::Connection::open(&self.file).unwrap();
        conn.busy_timeout(Duration::from_secs(30)).unwrap();
        conn
    }
}

/// The tables that a test's acts write.
const TABLES: [&str; 12] = [
    "metrics",
    "latest_metrics",
    "params",
    "tags",
    "runs",
    "experiment_tags",
    "experiments",
    "model_version_tags",
    "model_versions",
    "registered_model_aliases",
    "registered_model_tags",
    "registered_models",
];

/// Changes all the tables, or none.
fn on_every_table(conn: &Foreign, change: impl Fn(&str) -> String) {
    conn.execute_batch("PRAGMA foreign_keys = OFF; BEGIN IMMEDIATE").unwrap();
    for table in TABLES {
        conn.execute_batch(&change(table)).unwrap();
    }
    conn.execute_batch("COMMIT").unwrap();
}

/// Opens the store at a location as the tester.
pub(crate) fn open(location: &Location, missing: Missing) -> Result<Session, StoreError> {
    open_with(location, &herd::options(missing))
}

/// As [`open`], with these options.
pub(crate) fn open_with(location: &Location, options: &OpenOptions) -> Result<Session, StoreError> {
    Ok(herd::session(&herdbook_remote::open(location.clone(), options)?))
}

/// Removes all but the first event, or act, of the history.
pub(crate) const SHORTENED: &str = "DELETE FROM params WHERE key LIKE 'act.%' AND key <> 'act.1'";

/// The number in the first row of a query, if it has one.
pub(crate) fn number(foreign: &Foreign, sql: &str) -> Option<i64> {
    foreign.query_row(sql, [], |row| row.get(0)).ok()
}

/// Number of trainings of each writer in a race. A training takes seconds here.
pub(crate) const RACE_ROUNDS: i64 = 2;

/// Changes the leases to those of a process that has ended.
pub(crate) const OF_ANOTHER_PROCESS: &str =
    "UPDATE tags SET value = json_set(value, '$.process_started', 1)
    WHERE key = 'herdbook.lease'";
/// Removes the leases.
pub(crate) const WITHOUT_LEASES: &str = "DELETE FROM tags WHERE key = 'herdbook.lease'";
