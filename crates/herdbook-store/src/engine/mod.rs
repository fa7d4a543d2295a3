//! Transactions: how an act becomes one, on each engine.
//!
//! SQLite has one writer at a time, and acts that wait for it are committed together. On PostgreSQL an act holds what it
//! decides about: the models by name, the run's row, and at its end the chain of events.

mod postgres;
mod sqlite;
mod tls;

use herdbook_domain::ModelName;

use crate::db::{Conn, params};
use crate::location::Place;
use crate::remote::Remote;
use crate::schema::{PutBack, SecondChampion};
use crate::{Location, OpenOptions, Opened, StoreError};

/// How a store's database is reached.
#[derive(Debug)]
pub(crate) enum Engine {
    Sqlite(sqlite::SqliteEngine),
    Postgres(postgres::PostgresEngine),
    /// An MLflow server: the acts run on a copy in memory.
    Remote(Box<Remote>),
}

/// An engine that is ready, and what making it did to the database.
pub(crate) struct Connected {
    pub(crate) engine: Engine,
    pub(crate) opened: Opened,
    pub(crate) put_back: PutBack,
}

/// Opens or makes the database of a store, and puts back what is missing of ours.
pub(crate) fn connect(
    location: &Location,
    options: &OpenOptions,
    second_champion: SecondChampion,
) -> Result<Connected, StoreError> {
    match &location.place {
        Place::Sqlite(path) => sqlite::connect(path, location, options, second_champion),
        Place::Postgres(uri) => postgres::connect(uri, location, options, second_champion),
        Place::Server(uri) => {
            let remote = Remote::open(uri, options.actor.as_str(), second_champion)?;
            let engine = Engine::Remote(Box::new(remote));
            Ok(Connected { engine, opened: Opened::AsItWas, put_back: PutBack::default() })
        }
    }
}

/// What an act holds until it ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lock<'n> {
    /// Acts on one registered model, whether it has a row yet or not.
    Model(&'n ModelName),
    /// The end of the chain of events.
    Chain,
    /// Every act.
    Everything,
}

/// First of the two numbers of our advisory locks in PostgreSQL; "herd" in ASCII.
const LOCKS: &str = "1751478884";
/// Second number of the lock that every act shares, and `doctor --repair` holds alone.
const EVERYTHING: &str = "0";
/// Second number of the lock on the chain.
const CHAIN: &str = "1";

/// Waits for a lock and holds it until the transaction ends. In SQLite the transaction holds everything anyway.
pub(crate) fn hold(conn: &Conn, lock: Lock<'_>) -> Result<(), StoreError> {
    if matches!(conn, Conn::Sqlite(_)) {
        return Ok(());
    }
    let numbered = |number: &str| format!("SELECT 1 FROM pg_advisory_xact_lock({LOCKS}, {number})");
    match lock {
        // A name is no number, and may have no row that could be held: its hash is held. Two names with one hash wait for
        // each other, no more.
        Lock::Model(name) => conn.query(
            "SELECT 1 FROM pg_advisory_xact_lock(hashtextextended(?1, 0))",
            params![name.as_str()],
            |_| Ok(()),
        )?,
        Lock::Chain => conn.query(&numbered(CHAIN), params![], |_| Ok(()))?,
        Lock::Everything => conn.query(&numbered(EVERYTHING), params![], |_| Ok(()))?,
    };
    Ok(())
}
