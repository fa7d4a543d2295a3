//! The suite's database: a new one for each test, on the PostgreSQL server that `cargo xtask test` starts.

use std::path::Path;

use herdbook_store::Location;
use postgres::{Client, NoTls};

/// The database of one test, dropped with it.
pub(crate) struct Database {
    pub(crate) location: Location,
    server: String,
    name: String,
}

impl Database {
    pub(crate) fn new(folder: &Path) -> Self {
        let server = std::env::var("HERDBOOK_TEST_POSTGRES").expect(
            "HERDBOOK_TEST_POSTGRES names a server, `postgresql://user@host:port`; `cargo xtask test` starts one",
        );
        let name = format!("mlflow_{}", herdbook_store::new_id());
        let sql = format!("CREATE DATABASE {name} TEMPLATE template0 LOCALE 'C.UTF-8'");
        connect(&server).batch_execute(&sql).unwrap();
        let location = Location::resolve(Some(&format!("{server}/{name}")), folder).unwrap();
        Self { location, server, name }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        connect(&self.server).batch_execute(&sql).unwrap();
    }
}

fn connect(server: &str) -> Client {
    Client::connect(&format!("{server}/postgres"), NoTls).unwrap()
}
