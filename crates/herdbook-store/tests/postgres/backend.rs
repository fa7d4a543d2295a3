//! The suite's database: a new one for each test, on the PostgreSQL server that `cargo xtask test` starts.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use herdbook_domain::RunId;
use herdbook_store::{Location, Missing, OpenOptions, Session, Store, StoreError};

use crate::herd;
use postgres::{Client, NoTls};

/// The database as another program sees it.
pub(crate) struct Foreign(RefCell<Client>);

impl Foreign {
    pub(crate) fn execute_batch(&self, sql: &str) -> Result<(), String> {
        let executed = self.0.borrow_mut().batch_execute(sql);
        executed.map_err(|error| match error.as_db_error() {
            Some(error) => error.message().to_owned(),
            None => error.to_string(),
        })
    }
}

/// The database of one test, dropped with it.
pub(crate) struct Database {
    pub(crate) location: Location,
    server: String,
    pub(crate) name: String,
}

impl Database {
    pub(crate) fn new(folder: &Path) -> Self {
        let server = std::env::var("HERDBOOK_TEST_POSTGRES").expect(
            "HERDBOOK_TEST_POSTGRES names a server, `postgresql://user@host:port`; `cargo xtask test` starts one",
        );
        let name = format!("herd_{}", herdbook_store::new_id());
        let sql = format!("CREATE DATABASE {name} TEMPLATE template0 LOCALE 'C.UTF-8'");
        connect(&server, "postgres").batch_execute(&sql).unwrap();
        let location = Location::resolve(Some(&format!("{server}/{name}")), folder).unwrap();
        Self { location, server, name }
    }

    /// The path of an artifact.
    #[expect(clippy::unused_self, reason = "another backend needs it")]
    pub(crate) fn file_of(&self, store: &Store, run_id: &RunId, artifact: &str) -> PathBuf {
        store.artifact_path(run_id, artifact).unwrap()
    }

    pub(crate) fn foreign(&self) -> Foreign {
        Foreign(RefCell::new(connect(&self.server, &self.name)))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        connect(&self.server, "postgres").batch_execute(&sql).unwrap();
    }
}

fn connect(server: &str, database: &str) -> Client {
    Client::connect(&format!("{server}/{database}"), NoTls).unwrap()
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
    let row = foreign.0.borrow_mut().query_opt(sql, &[]).unwrap()?;
    Some(i64::from(row.get::<_, i32>(0)))
}

/// Number of trainings of each writer in a race.
pub(crate) const RACE_ROUNDS: i64 = 5;

/// Changes the leases to those of a process that has ended.
pub(crate) const OF_ANOTHER_PROCESS: &str =
    "UPDATE herdbook_leases SET process_started = process_started + 1";
/// Removes the leases.
pub(crate) const WITHOUT_LEASES: &str = "DELETE FROM herdbook_leases";
