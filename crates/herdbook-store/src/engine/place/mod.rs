//! Where a store was made, and whether it still lies there. MLflow's records hold absolute artifact locations, so a store that
//! was moved or copied names the files of its former place.

mod original;
mod postgres;
pub(crate) mod recorded;
pub(crate) mod sqlite;
pub mod state;

use self::recorded::Recorded;
use self::state::{Identity, PlaceState};
use crate::engine::db::Conn;
use crate::error::StoreError;
use crate::location::{Address, Location};

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
