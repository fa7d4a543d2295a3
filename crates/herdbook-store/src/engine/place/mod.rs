//! Where a store was made, and whether it still lies there. MLflow's records hold absolute artifact locations, so a store that
//! was moved or copied names the files of its former place.

mod original;
mod postgres;
pub(crate) mod recorded;
mod sqlite;

use std::path::PathBuf;

use self::recorded::Recorded;
use crate::engine::db::Conn;
use crate::error::StoreError;
use crate::location::{Address, Location};

/// The identity of an opened store, and whether it lies where its records say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The id of the store; `None` if it has none yet.
    pub store_id: Option<String>,
    /// The place of the records: the path of the database file, a database of a PostgreSQL server, or the address of a server.
    /// `None` if it is unknown, or if the records may lag behind those of another server.
    pub place: Option<String>,
    /// Whether the store lies there.
    pub state: PlaceState,
}

/// Whether a store lies where it was made or last relocated to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PlaceState {
    /// It does, or its place is not recorded.
    #[default]
    Home,
    /// The database was moved. The artifacts are where the records say.
    DatabaseMoved {
        /// The recorded database.
        from: String,
        /// The present one.
        to: String,
    },
    /// The database and the artifacts were moved.
    Moved {
        /// The recorded folder of the database.
        from: PathBuf,
        /// The present folder of the database.
        to: PathBuf,
    },
    /// The database is a copy, and its original exists.
    Copied {
        /// The recorded database.
        original: String,
        /// The present one.
        copy: String,
    },
    /// The database was restored on another server, from which it cannot be seen whether the original exists.
    Restored {
        /// The recorded database.
        from: String,
        /// The present one.
        to: String,
    },
}

impl PlaceState {
    /// Why nothing may be written; `None` if acts are allowed.
    pub(crate) fn refusal(&self) -> Option<StoreError> {
        match self {
            Self::Home | Self::DatabaseMoved { .. } => None,
            Self::Moved { from, to } => {
                Some(StoreError::Moved { from: from.clone(), to: to.clone() })
            }
            Self::Copied { original, copy } => {
                Some(StoreError::Copied { original: original.clone(), copy: copy.clone() })
            }
            Self::Restored { from, to } => {
                Some(StoreError::Restored { from: from.clone(), to: to.clone() })
            }
        }
    }

    /// The command that brings records and place into agreement; `None` at home.
    pub fn way_out(&self) -> Option<&'static str> {
        match self {
            Self::Home => None,
            Self::Copied { .. } => Some("`herdbook relocate --copy` makes it a store of its own"),
            Self::DatabaseMoved { .. } | Self::Moved { .. } | Self::Restored { .. } => {
                Some("`herdbook relocate` checks the files and updates the records")
            }
        }
    }

    /// What differs from the records, as a sentence; `None` at home.
    pub fn note(&self) -> Option<String> {
        match self {
            Self::Home => None,
            Self::DatabaseMoved { from, to } => Some(format!(
                "the database was moved from `{from}` to `{to}`; its artifacts are where they were"
            )),
            other => other.refusal().map(|error| error.to_string()),
        }
    }
}

/// The identity of the store in a database.
///
/// # Errors
/// Those of the database.
pub(crate) fn identify(conn: &Conn, location: &Location) -> Result<Identity, StoreError> {
    let here = match &location.address {
        Address::Sqlite(path) => sqlite::place_of(path),
        Address::Postgres(_) => postgres::place_of(conn)?,
        Address::Server(_) => None,
    };
    let Some(here) = here else { return Ok(Identity::default()) };
    let recorded = match recorded::read(conn)? {
        Some(recorded) => Some(recorded),
        None => derive(conn, location, &here)?,
    };
    let Some(Recorded { store_id, database }) = recorded else {
        return Ok(Identity { store_id: None, place: Some(here), state: PlaceState::Home });
    };
    let state = match &location.address {
        _ if database == here => PlaceState::Home,
        Address::Sqlite(_) => sqlite::state(conn, &database, &here)?,
        Address::Postgres(_) => postgres::state(conn, database, here.clone())?,
        Address::Server(_) => PlaceState::Home,
    };
    Ok(Identity { store_id: Some(store_id), place: Some(here), state })
}

/// Records where the store is, unless it is recorded already. Runs in the transaction that completes the tables.
///
/// # Errors
/// Those of the database.
pub(crate) fn record(conn: &Conn, location: &Location) -> Result<(), StoreError> {
    if recorded::read(conn)?.is_some() {
        return Ok(());
    }
    let here = match &location.address {
        Address::Sqlite(path) => sqlite::place_of(path),
        Address::Postgres(_) => postgres::place_of(conn)?,
        Address::Server(_) => None,
    };
    let Some(here) = here else { return Ok(()) };
    let recorded = match derive(conn, location, &here)? {
        Some(recorded) => recorded,
        None => Recorded { store_id: crate::clock::new_id(), database: here },
    };
    recorded::write(conn, &recorded)
}

/// What a store of an older build would have recorded: its id follows from its first event, its place from the artifact
/// locations. `None` for a store without events.
fn derive(conn: &Conn, location: &Location, here: &str) -> Result<Option<Recorded>, StoreError> {
    let Some(store_id) = original::id_of_history(conn)? else { return Ok(None) };
    let database = match &location.address {
        Address::Sqlite(_) => sqlite::place_by_artifacts(conn, here)?,
        Address::Postgres(_) | Address::Server(_) => None,
    };
    Ok(Some(Recorded { store_id, database: database.unwrap_or_else(|| here.to_owned()) }))
}
