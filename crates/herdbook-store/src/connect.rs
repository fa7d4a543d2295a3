//! The connection to a store's database: made, checked, and completed with what is missing of ours.

use std::time::{Duration, Instant};

use herdbook_domain::SchemaState;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::schema::{self, Found, SecondChampion};
use crate::store::now;
use crate::{Location, Missing, OpenOptions, Opened, StoreError};

/// Pause before another process's lock is looked at again.
const WAL_RETRY: Duration = Duration::from_millis(5);

/// A connection, and what making it did to the file.
pub(crate) struct Connected {
    pub(crate) conn: Connection,
    pub(crate) opened: Opened,
    /// Tables and indexes of ours that were missing or altered, and what became of that.
    pub(crate) put_back: Vec<(&'static str, SchemaState)>,
}

impl Connected {
    fn to_what_was_there(conn: Connection, opened: Opened) -> Self {
        Self { conn, opened, put_back: Vec::new() }
    }
}

/// Opens or makes the database of a store, and puts back what is missing of ours.
pub(crate) fn connect(
    location: &Location,
    options: &OpenOptions,
    second_champion: SecondChampion,
) -> Result<Connected, StoreError> {
    let path = &location.database;
    if options.missing == Missing::Refuse && !path.exists() {
        return Err(StoreError::NoStore { path: path.clone() });
    }
    let conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    conn.busy_timeout(options.busy_timeout)?;
    if conn.is_readonly("main")? {
        return read_only(location, options);
    }
    let found = schema::inspect(&conn, path)?;
    if found == Found::Empty && options.missing == Missing::Refuse {
        return Err(StoreError::NoStore { path: path.clone() });
    }
    enter_wal(&conn, options.busy_timeout)?;
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    if found == Found::Complete {
        return Ok(Connected::to_what_was_there(conn, Opened::AsItWas));
    }
    complete_schema(conn, location, second_champion)
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

fn complete_schema(
    mut conn: Connection,
    location: &Location,
    second_champion: SecondChampion,
) -> Result<Connected, StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Looked at again under the lock: another process may have been faster.
    let found = schema::inspect(&tx, &location.database)?;
    let faults = schema::faults(&tx)?;
    schema::complete(&tx, found, &location.artifact_root, now(), second_champion)?;
    let put_back = faults
        .into_iter()
        .map(|object| Ok((object, schema::state_of(&tx, object)?)))
        .collect::<Result<Vec<_>, StoreError>>()?;
    tx.commit()?;
    let opened = match found {
        Found::Empty => Opened::Created,
        Found::WithoutOurs => Opened::Completed,
        Found::Complete => Opened::AsItWas,
    };
    Ok(Connected { conn, opened, put_back })
}

/// A store that may only be read. Where SQLite cannot even make its shared memory (a read-only folder) and there is
/// no journal to replay, the file as it stands is the whole truth.
fn read_only(location: &Location, options: &OpenOptions) -> Result<Connected, StoreError> {
    let path = &location.database;
    if options.missing == Missing::Create {
        return Err(StoreError::ReadOnly { path: path.clone() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let escaped =
        path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let open = |query: &str| -> Result<Connection, StoreError> {
        let conn = Connection::open_with_flags(format!("file:{escaped}{query}"), flags)?;
        conn.busy_timeout(options.busy_timeout)?;
        schema::inspect(&conn, path)?;
        Ok(conn)
    };
    let mut journal = path.clone().into_os_string();
    journal.push("-wal");
    let is_at_rest = !std::fs::metadata(&journal).is_ok_and(|file| file.len() > 0);
    let conn = match open("") {
        Err(StoreError::Sqlite(_)) if is_at_rest => open("?immutable=1")?,
        outcome => outcome?,
    };
    Ok(Connected::to_what_was_there(conn, Opened::ReadOnly))
}
