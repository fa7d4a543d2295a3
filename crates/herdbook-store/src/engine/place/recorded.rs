//! The row of `herdbook_place`: the id of a store, and the database in which it was made or to which it was relocated.

use crate::engine::db::{Conn, Dialect, params};
use crate::error::StoreError;

/// Name of the table.
const TABLE: &str = "herdbook_place";

/// The recorded identity and place of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// 32 hexadecimal digits.
    pub(crate) store_id: String,
    /// The path of the database file, or the identity of a database of a PostgreSQL server.
    pub(crate) database: String,
}

/// The recorded place; `None` if there is none, or if it is not two texts.
///
/// # Errors
/// Those of the database.
pub(crate) fn read(conn: &Conn) -> Result<Option<Recorded>, StoreError> {
    if !is_there(conn)? {
        return Ok(None);
    }
    let sql = format!("SELECT store_id, place FROM {TABLE} WHERE id = 1");
    let row = conn.query_first(&sql, params![], |row| {
        let text = |column| row.get::<Option<String>>(column).unwrap_or(None);
        Ok((text(0), text(1)))
    })?;
    let Some((Some(store_id), Some(database))) = row else { return Ok(None) };
    Ok(Some(Recorded { store_id, database }))
}

/// Writes the place, replacing one that is recorded.
///
/// # Errors
/// Those of the database.
pub(crate) fn write(conn: &Conn, recorded: &Recorded) -> Result<(), StoreError> {
    conn.execute(
        &format!(
            "INSERT INTO {TABLE} (id, store_id, place) VALUES (1, ?1, ?2)
             ON CONFLICT (id) DO UPDATE SET store_id = excluded.store_id, place = excluded.place"
        ),
        params![recorded.store_id.as_str(), recorded.database.as_str()],
    )?;
    Ok(())
}

fn is_there(conn: &Conn) -> Result<bool, StoreError> {
    has_table(conn, TABLE)
}

/// Whether a database has a table of this name.
///
/// # Errors
/// Those of the database.
pub(crate) fn has_table(conn: &Conn, table: &str) -> Result<bool, StoreError> {
    let sql = match conn.dialect() {
        Dialect::Sqlite => "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1",
        Dialect::Postgres => {
            "SELECT 1 FROM pg_class WHERE relnamespace = current_schema()::regnamespace
             AND relkind IN ('r', 'p') AND relname = ?1"
        }
    };
    Ok(conn.query_first(sql, params![table], |row| row.get::<i64>(0))?.is_some())
}
