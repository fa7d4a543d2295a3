//! SQLite: one writer, whose commits gather the acts that wait for it, and readers on connections of their own.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::ffi;

use super::file::{self, Access};
use crate::engine::backend::{ActRequest, Backend, Effect, LookUp, Scope};
use crate::engine::db::{Conn, params};
use crate::engine::opening::OpenOptions;
use crate::engine::pool::Pool;
use crate::error::StoreError;

/// The most acts in one commit: nobody's answer waits for more than these.
const BATCH_LIMIT: u32 = 128;

/// A database file.
#[derive(Debug)]
pub(crate) struct SqliteEngine {
    path: PathBuf,
    busy_timeout: Duration,
    /// Which file was opened: the path may come to name another one.
    file: Option<FileIdentity>,
    /// How new connections are opened.
    access: Access,
    readers: Pool,
    writer: Mutex<Writer>,
    /// Acts that wait for the writer.
    waiting: AtomicUsize,
    /// Tells acts whose batch was passed on that it is settled.
    settled: Condvar,
}

impl SqliteEngine {
    /// The engine of a file that is in order, with a connection to it.
    pub(super) fn new(path: &Path, options: &OpenOptions, access: Access, conn: Conn) -> Self {
        let readers = Pool::new(options.max_connections);
        readers.add(conn);
        Self {
            path: path.to_owned(),
            busy_timeout: options.busy_timeout,
            file: file_identity(path),
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
    /// Runs an act inside a savepoint of the batch that is open, or of a new one, and answers when that is committed.
    fn write(&self, request: ActRequest<'_>, act: &mut LookUp<'_>) -> Result<(), StoreError> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut writer = self.lock_writer();
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        let batch = writer.join(self)?;
        // A panic must not leave the others of the batch without an answer.
        let outcome = catch_unwind(AssertUnwindSafe(|| writer.in_savepoint(request.effect, act)));
        writer.notice_lost_batch(&outcome);
        // Whoever waits now joins the batch, and is answerable for its end.
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
        // An act that was refused says why; whether the others' changes stay is not its concern.
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

    fn commits_of_others(&self, conn: &Conn) -> Result<Option<i64>, StoreError> {
        conn.query_row("PRAGMA data_version", params![], |row| row.get(0)).map(Some)
    }
}

/// A thread that panicked left nothing half-done: its act was taken back.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The connection that writes, and the batch of acts that it will commit next.
#[derive(Debug, Default)]
struct Writer {
    conn: Option<Conn>,
    /// Number of the batch that is open.
    open: Option<u64>,
    /// Number of the newest batch.
    newest: u64,
    /// Acts in the open batch.
    n_acts: u32,
    /// Why batches were lost, for those of their acts that have not heard yet.
    lost: BTreeMap<u64, Loss>,
}

#[derive(Debug)]
struct Loss {
    error: ffi::Error,
    message: Option<String>,
    n_unheard: u32,
}

impl Writer {
    /// Joins the batch that is open, or opens one.
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
        // The open one is always the newest.
        Ok(self.newest)
    }

    fn conn(&self) -> &Conn {
        self.conn.as_ref().expect("a batch is joined before anything else")
    }

    /// Runs an act; what it did is taken back where it is refused, fails, panics or was a dry run.
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

    /// Some errors, like a full disk, make SQLite take the whole transaction back, and with it the acts before.
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
            Ok(()) => self.open = None,
            Err(error) => {
                // Where the transaction is still open, nothing of it may stay.
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
            self.lost.insert(batch, Loss { error, message, n_unheard: self.n_acts });
        }
    }

    /// What became of a batch, for one of its acts.
    fn answer_of(&mut self, batch: u64) -> Result<(), StoreError> {
        let Some(loss) = self.lost.get_mut(&batch) else {
            return Ok(());
        };
        loss.n_unheard -= 1;
        let failure = rusqlite::Error::SqliteFailure(loss.error, loss.message.clone());
        if loss.n_unheard == 0 {
            self.lost.remove(&batch);
        }
        Err(failure.into())
    }
}

/// The error of a batch whose file is no longer the one that the path names; [`StoreError::at`] knows it.
fn replaced() -> StoreError {
    let error = ffi::Error::new(ffi::SQLITE_READONLY_DBMOVED);
    rusqlite::Error::SqliteFailure(error, None).into()
}

/// An act's savepoint, taken back unless it is kept.
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
            // Fails where SQLite took the whole transaction back: then there is nothing left to take back.
            let _ = self.conn.execute_batch("ROLLBACK TO act; RELEASE act");
        }
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

    /// The numbers of the rows that are there.
    fn rows(store: &Session) -> Vec<i64> {
        let sql = "SELECT pid FROM herdbook_leases ORDER BY pid";
        store.read(|conn| conn.query(sql, params![], |row| row.get(0))).unwrap()
    }

    /// Runs an act in every thread and round, all numbered, at once.
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
    fn every_act_of_many_threads_is_there_when_it_is_answered() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        at_once(|id| {
            store.write(|act| insert(act.tx, id)).unwrap();
            assert!(rows(&store).contains(&id), "{id} was answered and is not there");
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
                (_, other) => panic!("{id} was answered {other:?}"),
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
