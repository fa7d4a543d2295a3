//! Whether two databases hold the same store.

use std::path::Path;
use std::time::Duration;

use herdbook_domain::hex_sha256;
use rusqlite::{Connection, OpenFlags};

use super::recorded::{self, has_table};
use crate::engine::db::{Conn, params};
use crate::error::StoreError;

/// How long a question to the other database may wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known of the store in another database file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Other {
    /// It is the same store.
    Same,
    /// It is another store, or no database.
    Different,
    /// The file exists and cannot be read.
    Unreadable,
}

/// The id of a store that has none recorded: it follows from the hash of the first event, which contains a random act id.
/// `None` without events.
///
/// # Errors
/// Those of the database.
pub(super) fn id_of_history(conn: &Conn) -> Result<Option<String>, StoreError> {
    Ok(first_hash(conn)?
        .map(|hash| hex_sha256(format!("herdbook store {hash}").as_bytes())[..32].to_owned()))
}

/// Compares the store of a connection with that in a database file.
///
/// # Errors
/// Those of the connection.
pub(super) fn compare(conn: &Conn, path: &Path) -> Result<Other, StoreError> {
    let ours = Marks::of(conn)?;
    let theirs = open(path);
    let theirs = theirs.map_err(StoreError::from).and_then(|conn| Marks::of(&Conn::Sqlite(conn)));
    Ok(match theirs {
        Ok(theirs) if ours.agree_with(&theirs) => Other::Same,
        Ok(_) => Other::Different,
        Err(StoreError::Sqlite(error))
            if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) =>
        {
            Other::Different
        }
        Err(_) => Other::Unreadable,
    })
}

/// Opens a database for reading. Without a write-ahead log it is opened as immutable: otherwise SQLite would create files
/// beside it.
fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let text = path.display().to_string();
    let query = if Path::new(&format!("{text}-wal")).exists() { "" } else { "?immutable=1" };
    let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let conn = Connection::open_with_flags(format!("file:{escaped}{query}"), flags)?;
    conn.busy_timeout(PATIENCE)?;
    Ok(conn)
}

/// The values by which a store is recognised.
#[derive(Debug, PartialEq, Eq)]
struct Marks {
    store_id: Option<String>,
    first_hash: Option<String>,
    /// When the experiment `Default` was created: MLflow writes it when it creates the database.
    made_at: Option<i64>,
}

impl Marks {
    fn of(conn: &Conn) -> Result<Self, StoreError> {
        let made_at = if has_table(conn, "experiments")? {
            let sql = "SELECT creation_time FROM experiments WHERE experiment_id = 0";
            conn.query_first(sql, params![], |row| Ok(row.get::<Option<i64>>(0).unwrap_or(None)))?
                .flatten()
        } else {
            None
        };
        let store_id = recorded::read(conn)?.map(|recorded| recorded.store_id);
        Ok(Self { store_id, first_hash: first_hash(conn)?, made_at })
    }

    /// Compares the first mark that both have.
    fn agree_with(&self, other: &Self) -> bool {
        match (&self.store_id, &other.store_id) {
            (Some(one), Some(other)) => return one == other,
            (None, None) => {}
            // One of the two was not opened since stores have an id: it has the id of its history.
            (Some(id), None) | (None, Some(id)) => {
                let first = if self.store_id.is_some() { other } else { self };
                if let Some(hash) = &first.first_hash {
                    let derived = hex_sha256(format!("herdbook store {hash}").as_bytes());
                    return derived[..32] == **id || self.first_hash == other.first_hash;
                }
            }
        }
        if self.first_hash.is_some() && other.first_hash.is_some() {
            return self.first_hash == other.first_hash;
        }
        self.made_at.is_some() && self.made_at == other.made_at
    }
}

fn first_hash(conn: &Conn) -> Result<Option<String>, StoreError> {
    if !has_table(conn, "herdbook_events")? {
        return Ok(None);
    }
    let sql = "SELECT hash FROM herdbook_events ORDER BY id LIMIT 1";
    let hash =
        conn.query_first(sql, params![], |row| Ok(row.get::<Option<String>>(0).unwrap_or(None)))?;
    Ok(hash.flatten())
}
