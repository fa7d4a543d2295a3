//! The file behind a store: opened or made, checked, and completed with what is missing of ours.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{Access, SqliteEngine};
use crate::db::Conn;
use crate::engine::{Connected, Engine};
use crate::schema::{self, Found, SecondChampion};
use crate::store::now;
use crate::{Location, Missing, OpenOptions, Opened, StoreError};

/// Pause before another process's lock is looked at again.
const WAL_RETRY: Duration = Duration::from_millis(5);
/// More than the statements of all acts.
const STATEMENT_CACHE: usize = 128;

/// Opens or makes a database file, and puts back what is missing of ours.
pub(in crate::engine) fn connect(
    path: &Path,
    location: &Location,
    options: &OpenOptions,
    second_champion: SecondChampion,
) -> Result<Connected, StoreError> {
    let store = path.display().to_string();
    if options.missing == Missing::Refuse && !path.exists() {
        return Err(StoreError::NoStore { store });
    }
    let conn = open(path, options.busy_timeout)?;
    if conn.is_readonly("main")? {
        return connect_read_only(path, options);
    }
    let conn = Conn::Sqlite(conn);
    let found = schema::inspect(&conn, location)?;
    if found == Found::Empty && options.missing == Missing::Refuse {
        return Err(StoreError::NoStore { store });
    }
    let Conn::Sqlite(raw) = &conn else { unreachable!("it was made above") };
    enter_wal(raw, options.busy_timeout)?;
    set_up(raw)?;
    let (opened, put_back) = if found == Found::Complete {
        (Opened::AsItWas, Vec::new())
    } else {
        raw.execute_batch("BEGIN IMMEDIATE")?;
        let completed = schema::complete_what_is_missing(&conn, location, now(), second_champion);
        raw.execute_batch(if completed.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        completed?
    };
    let engine = Engine::Sqlite(SqliteEngine::new(path, options, Access::ReadWrite, conn));
    Ok(Connected { engine, opened, put_back })
}

fn open(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    prepare(&conn, busy_timeout)?;
    Ok(conn)
}

/// What every connection needs.
fn prepare(conn: &Connection, busy_timeout: Duration) -> Result<(), StoreError> {
    conn.busy_timeout(busy_timeout)?;
    conn.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    // Plans do not depend on the values bound. Without this, SQLite looks whether a value is that of a partial index, and
    // compiles the statement anew for each value that it binds, which takes longer than a look-up.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn set_up(conn: &Connection) -> Result<(), StoreError> {
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}

/// A further connection to a file that is in order.
pub(super) fn read_write(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    let conn = open(path, busy_timeout)?;
    set_up(&conn)?;
    Ok(conn)
}

/// Switches a database to write-ahead logging, for good. SQLite answers "busy" here without waiting: where two
/// processes open a new file at once, each holds a lock that the other's switch has to wait for.
fn enter_wal(conn: &Connection, patience: Duration) -> Result<(), StoreError> {
    let begun = Instant::now();
    loop {
        match conn.pragma_update(None, "journal_mode", "wal") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && begun.elapsed() < patience =>
            {
                std::thread::sleep(WAL_RETRY);
            }
            outcome => return Ok(outcome?),
        }
    }
}

/// A store that may only be read. Where SQLite cannot even make its shared memory (a read-only folder) and there is
/// no journal to replay, the file as it stands is the whole truth.
fn connect_read_only(path: &Path, options: &OpenOptions) -> Result<Connected, StoreError> {
    if options.missing == Missing::Create {
        return Err(StoreError::ReadOnly { store: path.display().to_string() });
    }
    let location = Location::of_file(path);
    let inspected = |query| -> Result<Conn, StoreError> {
        let conn = Conn::Sqlite(read_only(path, query, options.busy_timeout)?);
        schema::inspect(&conn, &location)?;
        Ok(conn)
    };
    let mut journal = path.as_os_str().to_owned();
    journal.push("-wal");
    let is_at_rest = !std::fs::metadata(&journal).is_ok_and(|file| file.len() > 0);
    let (conn, query) = match inspected("") {
        Err(StoreError::Sqlite(_)) if is_at_rest => (inspected("?immutable=1")?, "?immutable=1"),
        outcome => (outcome?, ""),
    };
    let engine = Engine::Sqlite(SqliteEngine::new(path, options, Access::ReadOnly(query), conn));
    Ok(Connected { engine, opened: Opened::ReadOnly, put_back: Vec::new() })
}

pub(super) fn read_only(
    path: &Path,
    query: &str,
    busy_timeout: Duration,
) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let escaped =
        path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let conn = Connection::open_with_flags(format!("file:{escaped}{query}"), flags)?;
    prepare(&conn, busy_timeout)?;
    Ok(conn)
}
