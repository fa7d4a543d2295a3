//! Seals: the facts of a version that rules rest on, read from its history.

use herdbook_domain::{Event, RunId, Seal, UnreadableSeal, VersionKey};

use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::tables::event;

/// The seal of a version; `None` if its history holds none.
///
/// # Errors
/// [`StoreError::BrokenRecord`] if the event that holds it was altered or cannot be read.
pub fn of_version(conn: &Conn, key: &VersionKey) -> Result<Option<Seal>, StoreError> {
    let (name, number) = (key.name.as_str(), key.version.get());
    among(&event::with_seals(conn, "name = ?1 AND version = ?2", params![name, number])?)
}

/// The seal of the version that was registered from a run; `None` if there is none.
///
/// # Errors
/// As [`of_version`].
pub fn of_run(conn: &Conn, run_id: &RunId) -> Result<Option<Seal>, StoreError> {
    among(&event::with_seals(conn, "run_id = ?1", params![run_id.as_str()])?)
}

fn among(events: &[Event]) -> Result<Option<Seal>, StoreError> {
    let Some(seal) = Seal::among(events).map_err(unreadable)? else { return Ok(None) };
    let held_by = events.iter().find(|event| event.id == seal.event_id);
    if held_by.is_some_and(|event| event.compute_hash() != event.hash) {
        return Err(StoreError::BrokenRecord {
            what: format!("event {}", seal.event_id),
            problem: "it was altered after it was written: run `herdbook verify`".to_owned(),
        });
    }
    Ok(Some(seal))
}

fn unreadable(error: UnreadableSeal) -> StoreError {
    StoreError::BrokenRecord { what: format!("event {}", error.event_id), problem: error.problem }
}
