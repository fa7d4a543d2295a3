//! A database in memory with MLflow's tables and those of herdbook, for backends that keep a copy of the records.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;

use crate::clock::now;
use crate::engine::db::Conn;
use crate::engine::opening::SecondChampion;
use crate::engine::schema::{self, Found};
use crate::error::StoreError;

/// Prepared statements kept per connection: more than all acts have.
const STATEMENT_CACHE: usize = 128;

/// Creates an empty database. Foreign keys are not enforced, since a copy may hold a run without its experiment.
///
/// # Errors
/// Those of SQLite.
pub fn create() -> Result<Conn, StoreError> {
    let conn = Connection::open_in_memory()?;
    conn.pragma_update(None, "foreign_keys", false)?;
    conn.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    let conn = Conn::Sqlite(conn);
    schema::complete(&conn, Found::Empty, Path::new("/"), now(), SecondChampion::Refuse)?;
    Ok(conn)
}

/// Creates the index that forbids a second champion, if every model has at most one. Returns the models that have more,
/// with the numbers of those versions.
///
/// # Errors
/// Those of SQLite.
pub fn restore_champion_index(conn: &Conn) -> Result<BTreeMap<String, Vec<i64>>, StoreError> {
    let (found, root) = (Found::WithoutOurs, Path::new("/"));
    schema::complete(conn, found, root, now(), SecondChampion::Tolerate)?;
    schema::two_champions(conn)
}
