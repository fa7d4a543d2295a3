//! Any MLflow server as the store of the records.
//!
//! MLflow's REST API has no transactions. So an act of the SQL store runs on a copy of the records in memory (`copy`). Its
//! changes become an entry of the `journal`, which decides the order of acts, and are then written to the server's records
//! (`projection`). If a process dies in between, the next command completes the act.
//!
//! Nothing here may hold a lock on the server or depend on a clock.

mod artifacts;
pub mod client;
mod copy;
mod journal;
mod projection;
mod remote;
mod reservation;
mod state;

use herdbook_store::engine::opening::{Connected, SecondChampion};
use herdbook_store::{Location, OpenOptions, Opened, Store, StoreError};

use crate::remote::Remote;

/// Opens the store at a location: an MLflow server, or a database.
///
/// # Errors
/// Those of [`Store::open`]; [`StoreError::Unreachable`], [`StoreError::NotMlflow`], [`StoreError::BadAccess`].
pub fn open(location: Location, options: &OpenOptions) -> Result<Store, StoreError> {
    match connect(&location, options, SecondChampion::Refuse)? {
        Some(connected) => Ok(Store::over(connected, location, options)),
        None => Store::open(location, options),
    }
}

/// As [`open`], for the doctor: also opens a store in which a model has two champions.
///
/// # Errors
/// As [`open`].
pub fn open_for_doctor(location: Location, options: &OpenOptions) -> Result<Store, StoreError> {
    match connect(&location, options, SecondChampion::Tolerate)? {
        Some(connected) => Ok(Store::over(connected, location, options)),
        None => Store::open_for_doctor(location, options),
    }
}

/// Connects to the server of a location; `None` if the location is a database.
fn connect(
    location: &Location,
    options: &OpenOptions,
    second_champion: SecondChampion,
) -> Result<Option<Connected>, StoreError> {
    let Some(uri) = location.server() else { return Ok(None) };
    let backend = Box::new(Remote::open(uri, second_champion, &options.notices)?);
    Ok(Some(Connected { backend, opened: Opened::AsItWas, put_back: Vec::new() }))
}
