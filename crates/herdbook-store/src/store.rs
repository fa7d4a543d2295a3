//! The store: one database, opened once, and the two ways through which every act reaches it.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use herdbook_domain::{ActContext, Actor, Channel, ModelName, SchemaState, Timestamp};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::connect::{Connected, connect};
use crate::schema::SecondChampion;
use crate::{Location, StoreError, event};

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
    /// Tables and indexes of ours that were missing or altered, and what opening made of that.
    put_back: Vec<(&'static str, SchemaState)>,
    /// Which file was opened: the path may come to name another one.
    file: Option<FileIdentity>,
}

impl Store {
    /// Opens the store at a location.
    ///
    /// # Errors
    /// [`StoreError::NoStore`], [`StoreError::NotADatabase`], [`StoreError::Schema`], [`StoreError::Busy`] …
    pub fn open(location: Location, options: OpenOptions) -> Result<Self, StoreError> {
        Self::open_with(location, options, SecondChampion::Refuse)
    }

    /// As [`Store::open`], for the doctor: a store in which a model has two champions is opened too, without the
    /// index that could not stand.
    pub fn open_for_doctor(location: Location, options: OpenOptions) -> Result<Self, StoreError> {
        Self::open_with(location, options, SecondChampion::Tolerate)
    }

    fn open_with(
        location: Location,
        options: OpenOptions,
        second_champion: SecondChampion,
    ) -> Result<Self, StoreError> {
        let path = location.database.clone();
        let waited_s = options.busy_timeout.as_secs();
        let connected = connect(&location, &options, second_champion)
            .map_err(|error| error.at(&path, waited_s))?;
        let Connected { conn, opened, put_back } = connected;
        let file = file_identity(&path);
        Ok(Self { conn: Mutex::new(conn), location, options, opened, put_back, file })
    }

    /// Where the records are.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// What opening did to the file.
    pub fn opened(&self) -> Opened {
        self.opened
    }

    /// What opening made of tables and indexes of ours that were missing or altered.
    pub(crate) fn put_back(&self) -> &[(&'static str, SchemaState)] {
        &self.put_back
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
                act_id: new_id(),
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

/// An identity that nothing else has: 32 lower-case hexadecimal digits.
pub fn new_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// The wall clock.
pub fn now() -> Timestamp {
    let since_epoch =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
