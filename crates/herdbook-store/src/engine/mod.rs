//! Databases: connections, transactions and the differences between the engines.
//!
//! SQLite has one writer at a time, and acts that wait for it are committed together. On PostgreSQL an act locks what it
//! decides on: the models by name, the run's row, and at its end the chain of events. Other places for the records
//! implement [`Backend`](backend::Backend) in a crate of their own.

mod amcheck;
pub mod backend;
pub mod db;
mod failure;
pub(crate) mod locks;
pub mod memory;
pub mod opening;
pub mod place;
mod pool;
pub(crate) mod postgres;
pub(crate) mod schema;
mod sqlite;
mod tls;

use self::opening::{Connected, OpenOptions, SecondChampion};
use crate::error::StoreError;
use crate::location::{Address, Location};

/// Opens or creates the database of a store, and restores tables and indexes of herdbook that are missing.
pub(crate) fn connect(
    location: &Location,
    options: &OpenOptions,
    second_champion: SecondChampion,
) -> Result<Connected, StoreError> {
    match &location.address {
        Address::Sqlite(path) => sqlite::connect(path, location, options, second_champion),
        Address::Postgres(uri) => postgres::connect(uri, location, options, second_champion),
        Address::Server(uri) => Err(StoreError::UnsupportedUri {
            uri: uri.to_string(),
            rule: "it is the address of a server, but only databases can be opened here".to_owned(),
        }),
    }
}
