//! The store: one database, opened once, and the two ways through which every act reaches it.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use herdbook_domain::{ActContext, Actor, Channel, ModelName, Timestamp};
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::schema::{self, Found};
use crate::{Location, StoreError, event};

/// Pause before another process's lock is looked at again.
const WAL_RETRY: Duration = Duration::from_millis(5);

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// What to do where there is none.
    pub missing: Missing,
    /// How long to wait for another process's write lock.
    pub busy_timeout: Duration,
    /// Who acts.
    pub actor: Actor,
    /// Through which door.
    pub channel: Channel,
}

/// What to do where there is no store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Make one.
    Create,
    /// Say so.
    Refuse,
}

/// What opening a store did to the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// It was there and complete.
    AsItWas,
    /// It was made.
    Created,
    /// MLflow's tables were there; our tables or indexes were added or put back.
    Completed,
    /// It may only be read.
    ReadOnly,
}

/// The records of runs, models and events.
#[derive(Debug)]
pub struct Store {
    conn: Mutex<Connection>,
    location: Location,
    options: OpenOptions,
    opened: Opened,
    /// Which file was opened: the path may come to name another one.
    file: Option<FileIdentity>,
}

impl Store {
    /// Opens the store at a location.
    ///
    /// # Errors
    /// [`StoreError::NoStore`], [`StoreError::NotADatabase`], [`StoreError::Schema`], [`StoreError::Busy`] …
    pub fn open(location: Location, options: OpenOptions) -> Result<Self, StoreError> {
        let path = location.database.clone();
        let waited_s = options.busy_timeout.as_secs();
        let opened = connect(&location, &options).map_err(|error| error.at(&path, waited_s));
        let (conn, opened) = opened?;
        let file = file_identity(&path);
        Ok(Self { conn: Mutex::new(conn), location, options, opened, file })
    }

    /// Where the records are.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// What opening did to the file.
    pub fn opened(&self) -> Opened {
        self.opened
    }

    /// Runs an act in one transaction that holds the write lock from its first statement on.
    pub(crate) fn write<T>(
        &self,
        act: impl FnOnce(&Act<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write_or_dry(Effect::Commit, act)
    }

    /// As [`Store::write`]; a dry run decides and writes as the real one would, then takes everything back.
    pub(crate) fn write_or_dry<T>(
        &self,
        effect: Effect,
        act: impl FnOnce(&Act<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut conn = self.lock();
        let result = (|| {
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let context = ActContext {
                act_id: uuid::Uuid::new_v4().simple().to_string(),
                actor: self.options.actor.clone(),
                channel: self.options.channel,
            };
            let outcome =
                act(&Act { tx: &tx, context, artifact_root: &self.location.artifact_root })?;
            match effect {
                Effect::Commit if file_identity(&self.location.database) != self.file => {
                    return Err(StoreError::Replaced { path: self.location.database.clone() });
                }
                Effect::Commit => tx.commit()?,
                Effect::DryRun => tx.rollback()?,
            }
            Ok(outcome)
        })();
        result.map_err(|error| self.named(error))
    }

    /// Runs a look-up on one consistent view of the records.
    pub(crate) fn read<T>(
        &self,
        look_up: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut conn = self.lock();
        let result = (|| {
            let tx = conn.transaction_with_behavior(TransactionBehavior::Deferred)?;
            let found = look_up(&tx)?;
            tx.commit()?;
            Ok(found)
        })();
        result.map_err(|error| self.named(error))
    }

    fn named(&self, error: StoreError) -> StoreError {
        error.at(&self.location.database, self.options.busy_timeout.as_secs())
    }

    /// A thread that panicked left no transaction behind: rusqlite rolls back when it is dropped.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.conn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an act's changes stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// They stay.
    Commit,
    /// They are taken back: only the answer was wanted.
    DryRun,
}

/// One act under way: its open transaction and who does it.
pub(crate) struct Act<'a> {
    pub(crate) tx: &'a Transaction<'a>,
    pub(crate) context: ActContext,
    pub(crate) artifact_root: &'a Path,
}

impl Act<'_> {
    /// Now, but never before the last event of these models: a history goes forward even where clocks do not.
    pub(crate) fn time_for<'n>(
        &self,
        names: impl IntoIterator<Item = &'n ModelName>,
    ) -> Result<Timestamp, StoreError> {
        names.into_iter().try_fold(now(), |at, name| Ok(at.max(event::last_time(self.tx, name)?)))
    }
}

/// Device and number of a file.
type FileIdentity = (u64, u64);

#[cfg(unix)]
fn file_identity(path: &Path) -> Option<FileIdentity> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// Elsewhere a file that is open cannot be removed or replaced.
#[cfg(not(unix))]
fn file_identity(_path: &Path) -> Option<FileIdentity> {
    None
}

/// The wall clock.
pub fn now() -> Timestamp {
    let since_epoch =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

fn connect(location: &Location, options: &OpenOptions) -> Result<(Connection, Opened), StoreError> {
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
        return Ok((conn, Opened::AsItWas));
    }
    complete_schema(conn, location)
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
) -> Result<(Connection, Opened), StoreError> {
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Looked at again under the lock: another process may have been faster.
    let found = schema::inspect(&tx, &location.database)?;
    schema::complete(&tx, found, &location.artifact_root, now())?;
    tx.commit()?;
    let opened = match found {
        Found::Empty => Opened::Created,
        Found::WithoutOurs => Opened::Completed,
        Found::Complete => Opened::AsItWas,
    };
    Ok((conn, opened))
}

/// A store that may only be read. Where SQLite cannot even make its shared memory (a read-only folder) and there is
/// no journal to replay, the file as it stands is the whole truth.
fn read_only(
    location: &Location,
    options: &OpenOptions,
) -> Result<(Connection, Opened), StoreError> {
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
    Ok((conn, Opened::ReadOnly))
}
