//! SQLite: opens or creates a database file, checks its schema, and restores missing tables and indexes of herdbook.

mod engine;
mod file;
mod integrity;

use std::path::Path;

use self::engine::SqliteEngine;
use self::file::Access;
use crate::clock::now;
use crate::engine::db::Conn;
use crate::engine::opening::{Connected, Missing, OpenOptions, Opened, SecondChampion};
use crate::engine::place;
use crate::engine::schema::{self, Found};
use crate::error::StoreError;
use crate::location::Location;

/// Opens or creates a database file, and restores tables and indexes of herdbook that are missing.
pub(crate) fn connect(
    path: &Path,
    location: &Location,
    options: &OpenOptions,
    second_champion: SecondChampion,
) -> Result<Connected, StoreError> {
    let store = path.display().to_string();
    if options.missing == Missing::Refuse && !path.exists() {
        return Err(StoreError::NoStore { store });
    }
    let conn = file::open(path, options.busy_timeout)?;
    if conn.is_readonly("main")? {
        return connect_read_only(path, options);
    }
    let conn = Conn::Sqlite(conn);
    let found = schema::inspect(&conn, location)?;
    if found == Found::Empty && options.missing == Missing::Refuse {
        return Err(StoreError::NoStore { store });
    }
    let Conn::Sqlite(raw) = &conn else { unreachable!("it is an SQLite connection") };
    file::enter_wal(raw, options.busy_timeout)?;
    file::set_up(raw)?;
    let (opened, put_back) = if found == Found::Complete {
        (Opened::AsItWas, Vec::new())
    } else {
        raw.execute_batch("BEGIN IMMEDIATE")?;
        let completed = schema::complete_what_is_missing(&conn, location, now(), second_champion);
        raw.execute_batch(if completed.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        completed?
    };
    let identity = place::identify(&conn, location)?;
    let engine = SqliteEngine::new(path, options, Access::ReadWrite, (conn, identity));
    Ok(Connected { backend: Box::new(engine), opened, put_back })
}

/// Opens a store that can only be read. If SQLite cannot create its shared memory because the folder is read-only, and there
/// is no write-ahead log to replay, the file is opened as immutable.
fn connect_read_only(path: &Path, options: &OpenOptions) -> Result<Connected, StoreError> {
    if options.missing == Missing::Create {
        return Err(StoreError::ReadOnly { store: path.display().to_string() });
    }
    let location = Location::of_file(path);
    let inspected = |query| -> Result<Conn, StoreError> {
        let conn =
            Conn::Sqlite(file::connection(path, Access::ReadOnly(query), options.busy_timeout)?);
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
    let identity = place::identify(&conn, &location)?;
    let engine = SqliteEngine::new(path, options, Access::ReadOnly(query), (conn, identity));
    Ok(Connected { backend: Box::new(engine), opened: Opened::ReadOnly, put_back: Vec::new() })
}
