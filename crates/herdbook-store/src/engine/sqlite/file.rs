//! Connections to a database file.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::error::StoreError;

/// Pause between attempts to switch to write-ahead logging.
const WAL_RETRY: Duration = Duration::from_millis(5);
/// Prepared statements kept per connection: more than all acts have.
const STATEMENT_CACHE: usize = 128;

/// How a file is opened.
#[derive(Debug, Clone, Copy)]
pub(super) enum Access {
    /// For reading and writing.
    ReadWrite,
    /// For reading, with this query in the URI of the file.
    ReadOnly(&'static str),
}

/// Another connection to a file whose schema was checked.
pub(super) fn connection(
    path: &Path,
    access: Access,
    busy_timeout: Duration,
) -> Result<Connection, StoreError> {
    match access {
        Access::ReadWrite => {
            let conn = open(path, busy_timeout)?;
            set_up(&conn)?;
            Ok(conn)
        }
        Access::ReadOnly(query) => read_only(path, query, busy_timeout),
    }
}

/// Opens a file, or creates an empty one.
pub(super) fn open(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    prepare(&conn, busy_timeout)?;
    Ok(conn)
}

/// Settings of every connection.
fn prepare(conn: &Connection, busy_timeout: Duration) -> Result<(), StoreError> {
    conn.busy_timeout(busy_timeout)?;
    conn.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    // Query plans do not depend on the bound values. Without this, SQLite checks whether a value matches a partial index and
    // compiles the statement again for each value, which takes longer than the look-up.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

pub(super) fn set_up(conn: &Connection) -> Result<(), StoreError> {
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}

/// Switches a database to write-ahead logging, permanently. SQLite does not wait here but fails as busy: if two processes
/// open a new file at the same time, each holds a lock that the other needs.
pub(super) fn enter_wal(conn: &Connection, timeout: Duration) -> Result<(), StoreError> {
    let begun = Instant::now();
    loop {
        match conn.pragma_update(None, "journal_mode", "wal") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && begun.elapsed() < timeout =>
            {
                std::thread::sleep(WAL_RETRY);
            }
            outcome => return Ok(outcome?),
        }
    }
}

fn read_only(path: &Path, query: &str, busy_timeout: Duration) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let escaped =
        path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let conn = Connection::open_with_flags(format!("file:{escaped}{query}"), flags)?;
    prepare(&conn, busy_timeout)?;
    Ok(conn)
}
