//! SQLite: one writer, which commits acts that wait at the same time together, and a pool of connections for readers.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::ffi;

use super::file::{self, Access};
use super::integrity;
use crate::engine::backend::{
    ActRequest, Backend, CommitCounts, Effect, EngineCheck, LookUp, Scope,
};
use crate::engine::db::{Conn, params};
use crate::engine::opening::OpenOptions;
use crate::engine::place::state::Identity;
use crate::engine::pool::Pool;
use crate::error::StoreError;

/// Maximum number of acts in one commit: no act waits for more than these.
const BATCH_LIMIT: u32 = 128;

/// A database file.
#[derive(Debug)]
pub(crate) struct SqliteEngine {
    path: PathBuf,
    busy_timeout: Duration,
    /// The opened file. Another file may be moved to its path later.
    file: Option<FileIdentity>,
    identity: Identity,
    /// Access of new connections.
    access: Access,
    readers: Pool,
    writer: Mutex<Writer>,
    /// Number of acts that wait for the writer.
    waiting: AtomicUsize,
    /// Wakes the acts of a batch after it was committed or lost.
    settled: Condvar,
}

impl SqliteEngine {
    /// The engine of a file whose schema was checked, with a first connection.
    pub(super) fn new(
        path: &Path,
        options: &OpenOptions,
        access: Access,
        (conn, identity): (Conn, Identity),
    ) -> Self {
        let readers = Pool::new(options.max_connections);
        readers.add(conn);
        Self {
            path: path.to_owned(),
            busy_timeout: options.busy_timeout,
            file: file_identity(path),
            identity,
            access,
            readers,
            writer: Mutex::default(),
            waiting: AtomicUsize::new(0),
            settled: Condvar::new(),
        }
    }

    fn connection(&self) -> Result<Conn, StoreError> {
        if file_identity(&self.path) != self.file {
            return Err(StoreError::Replaced { store: self.path.display().to_string() });
        }
        Ok(Conn::Sqlite(file::connection(&self.path, self.access, self.busy_timeout)?))
    }

    fn lock_writer(&self) -> MutexGuard<'_, Writer> {
        lock(&self.writer)
    }
}

impl Backend for SqliteEngine {
    /// Runs an act in a savepoint of the open batch, or of a new one, and returns when the batch is committed.
    fn write(&self, request: ActRequest<'_>, act: &mut LookUp<'_>) -> Result<(), StoreError> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut writer = self.lock_writer();
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        let batch = writer.join(self)?;
        // After a panic the other acts of the batch must still be committed.
        let outcome = catch_unwind(AssertUnwindSafe(|| writer.in_savepoint(request.effect, act)));
        writer.notice_lost_batch(&outcome);
        // If an act is waiting, it joins the batch and commits it.
        let is_passed_on = writer.n_acts < BATCH_LIMIT && self.waiting.load(Ordering::SeqCst) > 0;
        if is_passed_on {
            writer = self
                .settled
                .wait_while(writer, |writer| writer.is_open(batch))
                .unwrap_or_else(PoisonError::into_inner);
        } else {
            writer.settle(self);
            self.settled.notify_all();
        }
        let committed = writer.answer_of(batch);
        drop(writer);
        let outcome = outcome.unwrap_or_else(|panic| resume_unwind(panic));
        // A refused act returns its own error, whether or not the batch was committed.
        outcome.and(committed)
    }

    fn read(&self, _scope: Scope<'_>, look_up: &mut LookUp<'_>) -> Result<(), StoreError> {
        let conn = self.readers.lend(self.busy_timeout, |_| true, || self.connection())?;
        conn.execute_batch("BEGIN")?;
        let found = look_up(&conn);
        conn.execute_batch("COMMIT")?;
        conn.give_back();
        found
    }

    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn commit_counts(&self) -> CommitCounts {
        self.lock_writer().counts
    }

    /// On a new connection: the others may have read a page before it was damaged.
    fn check_engine(&self) -> Result<EngineCheck, StoreError> {
        integrity::check(&self.connection()?)
    }

    fn commits_of_others(&self, conn: &Conn) -> Result<Option<i64>, StoreError> {
        conn.query_row("PRAGMA data_version", params![], |row| row.get(0)).map(Some)
    }
}

/// Ignores poisoning: the act of a thread that panicked was rolled back.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The connection that writes, and its batch: the acts that are committed together.
#[derive(Debug, Default)]
struct Writer {
    conn: Option<Conn>,
    /// Number of the open batch.
    open: Option<u64>,
    /// Number of the newest batch.
    newest: u64,
    /// Acts in the open batch.
    n_acts: u32,
    /// All acts and commits.
    counts: CommitCounts,
    /// The errors of lost batches, until each of their acts has read its error.
    lost: BTreeMap<u64, Loss>,
}

#[derive(Debug)]
struct Loss {
    error: ffi::Error,
    message: Option<String>,
    n_unread: u32,
}

impl Writer {
    /// Joins the open batch, or opens one.
    fn join(&mut self, engine: &SqliteEngine) -> Result<u64, StoreError> {
        if self.conn.is_none() {
            self.conn = Some(engine.connection()?);
        }
        if self.open.is_none() {
            self.conn().execute_batch("BEGIN IMMEDIATE")?;
            self.newest += 1;
            self.n_acts = 0;
            self.open = Some(self.newest);
        }
        self.n_acts += 1;
        self.counts.acts += 1;
        // The open batch is always the newest.
        Ok(self.newest)
    }

    fn conn(&self) -> &Conn {
        self.conn.as_ref().expect("a batch is joined before anything else")
    }

    /// Runs an act. Its changes are rolled back if it fails, panics or is a dry run.
    fn in_savepoint(&self, effect: Effect, act: &mut LookUp<'_>) -> Result<(), StoreError> {
        let conn = self.conn();
        conn.execute_batch("SAVEPOINT act")?;
        let guard = Savepoint { conn, is_kept: false };
        act(conn)?;
        if effect == Effect::Commit {
            guard.keep()?;
        }
        Ok(())
    }

    fn is_open(&self, batch: u64) -> bool {
        self.open == Some(batch)
    }

    /// After some errors, such as a full disk, SQLite rolls back the whole transaction, and with it the earlier acts.
    fn notice_lost_batch(&mut self, outcome: &std::thread::Result<Result<(), StoreError>>) {
        let Conn::Sqlite(conn) = self.conn() else { return };
        if conn.is_autocommit() {
            let why = match outcome {
                Ok(Err(StoreError::Sqlite(rusqlite::Error::SqliteFailure(error, message)))) => {
                    (*error, message.clone())
                }
                _ => (ffi::Error::new(ffi::SQLITE_ABORT), None),
            };
            self.lose(why);
        }
    }

    /// Commits the open batch.
    fn settle(&mut self, engine: &SqliteEngine) {
        if self.open.is_none() {
            return;
        }
        let is_there = file_identity(&engine.path) == engine.file;
        let committed =
            if is_there { self.conn().execute_batch("COMMIT") } else { Err(replaced()) };
        match committed {
            Ok(()) => {
                self.open = None;
                self.counts.commits += 1;
            }
            Err(error) => {
                // The transaction may still be open.
                let _ = self.conn().execute_batch("ROLLBACK");
                self.lose(match error {
                    StoreError::Sqlite(rusqlite::Error::SqliteFailure(error, message)) => {
                        (error, message)
                    }
                    other => (ffi::Error::new(ffi::SQLITE_ABORT), Some(other.to_string())),
                });
            }
        }
    }

    fn lose(&mut self, (error, message): (ffi::Error, Option<String>)) {
        if let Some(batch) = self.open.take() {
            self.lost.insert(batch, Loss { error, message, n_unread: self.n_acts });
        }
    }

    /// The outcome of a batch, for one of its acts.
    fn answer_of(&mut self, batch: u64) -> Result<(), StoreError> {
        let Some(loss) = self.lost.get_mut(&batch) else {
            return Ok(());
        };
        loss.n_unread -= 1;
        let failure = rusqlite::Error::SqliteFailure(loss.error, loss.message.clone());
        if loss.n_unread == 0 {
            self.lost.remove(&batch);
        }
        Err(failure.into())
    }
}

/// The error of a batch whose file was removed or replaced. [`StoreError::at`] recognises it.
fn replaced() -> StoreError {
    let error = ffi::Error::new(ffi::SQLITE_READONLY_DBMOVED);
    rusqlite::Error::SqliteFailure(error, None).into()
}

/// The savepoint of an act. It is rolled back when dropped, unless it was kept.
struct Savepoint<'c> {
    conn: &'c Conn,
    is_kept: bool,
}

impl Savepoint<'_> {
    fn keep(mut self) -> Result<(), StoreError> {
        self.conn.execute_batch("RELEASE act")?;
        self.is_kept = true;
        Ok(())
    }
}

impl Drop for Savepoint<'_> {
    fn drop(&mut self) {
        if !self.is_kept {
            // This fails if SQLite rolled back the whole transaction. Then there is nothing left to do.
            let _ = self.conn.execute_batch("ROLLBACK TO act; RELEASE act");
        }
    }
}

/// Device and inode number of a file.
type FileIdentity = (u64, u64);

#[cfg(unix)]
fn file_identity(path: &Path) -> Option<FileIdentity> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// On other systems an open file cannot be removed or replaced.
#[cfg(not(unix))]
fn file_identity(_path: &Path) -> Option<FileIdentity> {
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use herdbook_domain::{Actor, Channel};

    use super::*;
    use crate::engine::opening::Missing;
    use crate::location::Location;
    use crate::session::Session;
    use crate::store::Store;

    const THREADS: i64 = 8;
    const ROUNDS: i64 = 20;

    fn store(folder: &Path) -> Session {
        let options = OpenOptions {
            missing: Missing::Create,
            busy_timeout: Duration::from_secs(30),
            ..OpenOptions::default()
        };
        let store = Store::open(Location::resolve(None, folder).unwrap(), &options).unwrap();
        store.session(Actor::parse("tester").unwrap(), Channel::Cli)
    }

    fn insert(conn: &Conn, id: i64) -> Result<(), StoreError> {
        conn.execute(
            "INSERT INTO herdbook_leases VALUES (?1, 'h', ?2, 0, 0)",
            params![id.to_string(), id],
        )?;
        Ok(())
    }

    /// The numbers of all rows.
    fn rows(store: &Session) -> Vec<i64> {
        let sql = "SELECT pid FROM herdbook_leases ORDER BY pid";
        store.read(|conn| conn.query(sql, params![], |row| row.get(0))).unwrap()
    }

    /// Runs numbered acts, several per thread, in all threads at the same time.
    fn at_once(act: impl Fn(i64) + Sync) {
        let barrier = Barrier::new(THREADS as usize);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let (barrier, act) = (&barrier, &act);
                scope.spawn(move || {
                    barrier.wait();
                    (0..ROUNDS).for_each(|round| act(round * THREADS + thread));
                });
            }
        });
    }

    #[test]
    fn act_of_each_of_many_threads_is_committed_when_it_returns() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        at_once(|id| {
            store.write(|act| insert(act.tx, id)).unwrap();
            assert!(rows(&store).contains(&id), "{id} returned and is not there");
        });
        assert_eq!(rows(&store), (0..THREADS * ROUNDS).collect::<Vec<_>>());
    }

    #[test]
    fn act_that_is_refused_fails_or_panics_takes_nothing_of_the_others_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        at_once(|id| {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                store.write(|act| {
                    insert(act.tx, id)?;
                    match id % 4 {
                        0 => Err(StoreError::BrokenRecord {
                            what: id.to_string(),
                            problem: String::new(),
                        }),
                        1 => insert(act.tx, id),
                        2 => std::panic::resume_unwind(Box::new("act")),
                        _ => Ok(()),
                    }
                })
            }));
            match (id % 4, outcome) {
                (0, Ok(Err(StoreError::BrokenRecord { .. })))
                | (1, Ok(Err(StoreError::Database { .. })))
                | (2, Err(_))
                | (3, Ok(Ok(()))) => {}
                (_, other) => panic!("{id} returned {other:?}"),
            }
        });
        let kept: Vec<i64> = (0..THREADS * ROUNDS).filter(|id| id % 4 == 3).collect();
        assert_eq!(rows(&store), kept);
    }

    #[test]
    fn dry_run_leaves_nothing_to_the_batch() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        at_once(|id| {
            let effect = if id % 2 == 0 { Effect::DryRun } else { Effect::Commit };
            store.write_or_dry(effect, |act| insert(act.tx, id)).unwrap();
        });
        assert!(rows(&store).iter().all(|id| id % 2 == 1));
        assert_eq!(rows(&store).len() as i64, THREADS * ROUNDS / 2);
    }
}
