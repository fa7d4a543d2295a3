//! The place of a database of a PostgreSQL server. It does not depend on the spelling of the server's address.

use super::state::PlaceState;
use crate::engine::db::{Conn, params};
use crate::error::StoreError;

/// Beginning of the text of a place.
const KIND: &str = "postgresql";

/// The server's system identifier, the number of the database and the schema. `None` on a server that follows another one,
/// because its records may lag behind, and on one that does not tell its identifier.
pub(super) fn place_of(conn: &Conn) -> Result<Option<String>, StoreError> {
    let is_known: bool = conn.query_row(
        "SELECT NOT pg_is_in_recovery()
             AND has_function_privilege('pg_control_system()', 'execute')",
        params![],
        |row| row.get(0),
    )?;
    if !is_known {
        return Ok(None);
    }
    let place: String = conn.query_row(
        "SELECT system_identifier::text || '/' || (SELECT oid::text FROM pg_database
             WHERE datname = current_database()) || '/' || current_schema()
         FROM pg_control_system()",
        params![],
        |row| row.get(0),
    )?;
    Ok(Some(format!("{KIND} {place}")))
}

/// The state of a store in the database `here` that was recorded in another one.
pub(super) fn state(conn: &Conn, recorded: String, here: String) -> Result<PlaceState, StoreError> {
    let original = match (parsed(&recorded), parsed(&here)) {
        (Some((server, database)), Some((this_server, _))) if server == this_server => {
            name_of(conn, database)?
        }
        _ => return Ok(PlaceState::Restored { from: recorded, to: here }),
    };
    Ok(match original {
        Some(name) => PlaceState::Copied { original: name, copy: name_here(conn)? },
        // The original was dropped. Nothing else writes to its artifacts.
        None => PlaceState::DatabaseMoved { from: recorded, to: here },
    })
}

/// System identifier and number of the database.
fn parsed(place: &str) -> Option<(&str, &str)> {
    let mut parts = place.strip_prefix(KIND)?.trim_start().split('/');
    Some((parts.next()?, parts.next()?))
}

fn name_of(conn: &Conn, oid: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT datname::text FROM pg_database WHERE oid::text = ?1";
    conn.query_first(sql, params![oid], |row| row.get(0))
}

fn name_here(conn: &Conn) -> Result<String, StoreError> {
    conn.query_row("SELECT current_database()::text", params![], |row| row.get(0))
}
