//! PostgreSQL: acts run concurrently. Each act locks the records that it decides on until it ends.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use backon::{BlockingRetryable, ExponentialBuilder};
use postgres::error::SqlState;

use crate::clock::now;
use crate::engine::amcheck;
use crate::engine::backend::{ActRequest, Backend, Effect, EngineCheck, LookUp, Scope};
use crate::engine::db::{Conn, PostgresConn, params};
use crate::engine::locks::{EVERYTHING, LOCKS, Lock, hold};
use crate::engine::opening::{Connected, Missing, OpenOptions, Opened, SecondChampion};
use crate::engine::place;
use crate::engine::place::state::Identity;
use crate::engine::pool::{Lent, Pool};
use crate::engine::schema::{self, Found};
use crate::engine::tls;
use crate::error::StoreError;
use crate::location::Location;
use crate::location::postgres::PostgresUri;
use crate::notices::Notices;
use crate::waiting::{self, FIRST_ANSWER};

/// Maximum number of repetitions of an act that conflicted with another one, or whose connection broke.
const MAX_REPEATS: usize = 5;
/// Pause before the first repetition; doubled before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// Pause between two questions about the outcome of a commit.
const OUTCOME_PAUSE: Duration = Duration::from_millis(20);
/// The server closes a connection that is idle inside a transaction for this long, and releases its locks.
const IDLE_LIMIT: &str = "60s";

/// A database of a PostgreSQL server.
pub(crate) struct PostgresEngine {
    uri: PostgresUri,
    tls: tls::Connector,
    busy_timeout: Duration,
    identity: Identity,
    notices: Notices,
    /// Whether the server has answered this process.
    has_answered: AtomicBool,
    connections: Pool,
}

impl fmt::Debug for PostgresEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresEngine").field(&self.uri).finish()
    }
}

impl Backend for PostgresEngine {
    /// Runs an act in a transaction of its own. If it conflicts with another act, or the connection breaks before the
    /// commit, it is run again from the start.
    fn write(&self, request: ActRequest<'_>, act: &mut LookUp<'_>) -> Result<(), StoreError> {
        self.repeat(|conn| Self::attempt(conn, request.effect, act))
    }

    fn identity(&self) -> Identity {
        self.identity.clone()
    }

    fn check_engine(&self) -> Result<EngineCheck, StoreError> {
        let conn = self.connection()?;
        let check = amcheck::check(&conn);
        keep(conn);
        check
    }

    fn read(&self, _scope: Scope<'_>, look_up: &mut LookUp<'_>) -> Result<(), StoreError> {
        self.repeat(|conn| {
            let found = conn
                .execute_batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                .and_then(|()| look_up(conn));
            // Nothing was written. If this fails, the connection is closed and not used again.
            let _ = conn.execute_batch("ROLLBACK");
            found.map_err(Failure::Error)
        })
    }
}

impl PostgresEngine {
    /// Runs an attempt, and again after a growing pause while it fails with an error of [`may_be_repeated`].
    fn repeat(
        &self,
        mut attempt: impl FnMut(&Conn) -> Result<(), Failure>,
    ) -> Result<(), StoreError> {
        let pauses =
            ExponentialBuilder::default().with_min_delay(FIRST_PAUSE).with_max_times(MAX_REPEATS);
        let mut on_connection = || {
            let conn = self.connection()?;
            let outcome = attempt(&conn);
            // Given back before the outcome of a commit is asked for, which takes a connection of its own.
            keep(conn);
            match outcome {
                Ok(()) => Ok(()),
                Err(Failure::Error(error)) => Err(error),
                Err(Failure::CommitUnanswered { transaction, error }) => {
                    match self.was_committed(transaction) {
                        Some(true) => Ok(()),
                        Some(false) => Err(error),
                        None => Err(StoreError::OutcomeUnknown { store: self.uri.to_string() }),
                    }
                }
            }
        };
        (|| on_connection()).retry(pauses).when(may_be_repeated).call()
    }

    /// One attempt at an act. An error of [`may_be_repeated`] means that all of it was rolled back.
    fn attempt(conn: &Conn, effect: Effect, act: &mut LookUp<'_>) -> Result<(), Failure> {
        let transaction = match begin(conn).and_then(|transaction| act(conn).map(|()| transaction))
        {
            Ok(transaction) => transaction,
            Err(error) => {
                // This fails if the connection broke. Then the server rolls the transaction back.
                let _ = conn.execute_batch("ROLLBACK");
                return Err(Failure::Error(error));
            }
        };
        if effect == Effect::DryRun {
            return conn.execute_batch("ROLLBACK").map_err(Failure::Error);
        }
        conn.execute_batch("COMMIT").map_err(|error| {
            if is_connection_lost(&error) {
                Failure::CommitUnanswered { transaction, error }
            } else {
                Failure::Error(error)
            }
        })
    }

    /// Whether a transaction was committed whose commit was sent and not answered; `None` if the server cannot be asked.
    fn was_committed(&self, transaction: i64) -> Option<bool> {
        let begun = Instant::now();
        loop {
            let status = self.connection().and_then(|conn| {
                let status: Option<String> =
                    conn.query_row("SELECT txid_status(?1)", params![transaction], |row| {
                        row.get(0)
                    })?;
                keep(conn);
                Ok(status)
            });
            match status.as_ref().map(Option::as_deref) {
                Ok(Some("committed")) => return Some(true),
                Ok(Some("aborted")) => return Some(false),
                // The server may be restarting, or still be committing.
                _ if begun.elapsed() < self.busy_timeout => std::thread::sleep(OUTCOME_PAUSE),
                _ => return None,
            }
        }
    }

    /// An idle connection that is not closed, or a new one.
    fn connection(&self) -> Result<Lent<'_>, StoreError> {
        self.connections.lend(self.busy_timeout, |conn| !is_closed(conn), || self.connect())
    }

    /// A new connection. Its time limit covers names, addresses, TLS, sign-in and the first query.
    fn connect(&self) -> Result<Conn, StoreError> {
        let has_answered = self.has_answered.load(Ordering::Relaxed);
        let _waiting =
            (!has_answered).then(|| waiting::announce(&self.notices, &self.uri.to_string()));
        let (uri, tls, timeout) = (self.uri.clone(), self.tls.clone(), self.busy_timeout);
        let (sender, answer) = mpsc::channel();
        // The `postgres` crate has no limit for the answers of a server that accepted the connection. If it stays silent,
        // this thread waits on, until the server closes the connection or the process ends.
        std::thread::Builder::new()
            .name("herdbook-connect".to_owned())
            .spawn(move || {
                // Nobody listens if the limit has passed.
                let _ = sender.send(connect_to(&uri, tls, timeout));
            })
            .map_err(|error| self.unreachable(error.to_string()))?;
        let conn = answer.recv_timeout(FIRST_ANSWER).unwrap_or_else(|_| {
            Err(self.unreachable(format!(
                "it gave no answer for {} s: check that it is a PostgreSQL server",
                FIRST_ANSWER.as_secs()
            )))
        })?;
        self.has_answered.store(true, Ordering::Relaxed);
        Ok(conn)
    }

    fn unreachable(&self, problem: String) -> StoreError {
        StoreError::Unreachable { store: self.uri.to_string(), problem }
    }
}

/// Connects, and sets what all connections need.
fn connect_to(
    uri: &PostgresUri,
    tls: tls::Connector,
    busy_timeout: Duration,
) -> Result<Conn, StoreError> {
    let client = uri.config.connect(tls)?;
    let conn = Conn::Postgres(Box::new(PostgresConn::new(client)));
    let timeout_ms = busy_timeout.as_millis().max(1);
    // Joins run in the order in which they are written, and plans do not depend on the bound values: planning a look-up
    // took ten times as long as running it.
    conn.execute_batch(&format!(
        "SET join_collapse_limit = 1; SET plan_cache_mode = force_generic_plan; SET jit = off;
             SET lock_timeout = {timeout_ms};
             SET idle_in_transaction_session_timeout = '{IDLE_LIMIT}';
             SET client_min_messages = warning;
             SELECT set_config('synchronous_commit', 'on', false)
             WHERE current_setting('synchronous_commit') = 'off'"
    ))?;
    Ok(conn)
}

/// A database of a PostgreSQL server that is only read, such as the source of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresSource {
    uri: PostgresUri,
}

impl PostgresSource {
    /// Parses a URI; `None` if it is not one of PostgreSQL.
    ///
    /// # Errors
    /// [`StoreError::UnsupportedUri`] for a malformed URI of PostgreSQL.
    pub fn parse(uri: &str) -> Result<Option<Self>, StoreError> {
        Ok(PostgresUri::parse(uri)?.map(|uri| Self { uri }))
    }

    /// Connects. The server refuses every change on this connection.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`], and the errors of the server.
    pub fn connect_read_only(&self) -> Result<Conn, StoreError> {
        let unreachable =
            |problem| StoreError::Unreachable { store: self.uri.to_string(), problem };
        let tls = tls::connector(&self.uri).map_err(unreachable)?;
        let client = self.uri.config.connect(tls)?;
        let conn = Conn::Postgres(Box::new(PostgresConn::new(client)));
        conn.execute_batch(
            "SET default_transaction_read_only = on; SET client_min_messages = warning",
        )?;
        Ok(conn)
    }
}

/// The URI without a password.
impl fmt::Display for PostgresSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

/// Why an attempt failed.
enum Failure {
    Error(StoreError),
    /// The connection broke before the answer to its commit.
    CommitUnanswered {
        transaction: i64,
        error: StoreError,
    },
}

/// Returns a connection to the pool, unless it is closed.
fn keep(conn: Lent<'_>) {
    if !is_closed(&conn) {
        conn.give_back();
    }
}

fn is_closed(conn: &Conn) -> bool {
    matches!(conn, Conn::Postgres(conn) if conn.is_closed())
}

/// Begins an act's transaction and returns its id, by which its outcome can be asked for.
fn begin(conn: &Conn) -> Result<i64, StoreError> {
    // Each statement sees all commits before its start, so a read after taking a lock is current.
    conn.execute_batch("BEGIN ISOLATION LEVEL READ COMMITTED")?;
    conn.query_row(
        &format!("SELECT txid_current() FROM pg_advisory_xact_lock_shared({LOCKS}, {EVERYTHING})"),
        params![],
        |row| row.get(0),
    )
}

/// Whether an error means that the transaction was rolled back, and that it may succeed if it is run again.
fn may_be_repeated(error: &StoreError) -> bool {
    let StoreError::Postgres(source) = error else { return false };
    let conflicts = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        // Another program, which does not take these locks, inserted the row first. The next attempt sees it.
        SqlState::UNIQUE_VIOLATION,
    ];
    is_connection_lost(error) || source.code().is_some_and(|code| conflicts.contains(code))
}

fn is_connection_lost(error: &StoreError) -> bool {
    let StoreError::Postgres(source) = error else { return false };
    let going_down = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    match source.code() {
        Some(code) => going_down.contains(code),
        None => source.is_closed() || has_io_cause(source),
    }
}

fn has_io_cause(error: &postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if error.is::<std::io::Error>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Opens the database of a URI, and restores tables and indexes of herdbook that are missing.
pub(super) fn connect(
    uri: &PostgresUri,
    location: &Location,
    options: &OpenOptions,
    second_champion: SecondChampion,
) -> Result<Connected, StoreError> {
    let unreachable = |problem| StoreError::Unreachable { store: uri.to_string(), problem };
    let mut engine = PostgresEngine {
        uri: uri.clone(),
        tls: tls::connector(uri).map_err(unreachable)?,
        busy_timeout: options.busy_timeout,
        identity: Identity::default(),
        notices: options.notices.clone(),
        has_answered: AtomicBool::new(false),
        connections: Pool::new(options.max_connections),
    };
    let conn = engine.connect()?;
    let found = schema::inspect(&conn, location)?;
    if found == Found::Empty && options.missing == Missing::Refuse {
        return Err(StoreError::NoStore { store: uri.to_string() });
    }
    let read_only: String =
        conn.query_row("SELECT current_setting('transaction_read_only')", params![], |row| {
            row.get(0)
        })?;
    let (opened, put_back) = if read_only == "on" {
        (Opened::ReadOnly, Vec::new())
    } else if found == Found::Complete {
        (Opened::AsItWas, Vec::new())
    } else {
        conn.execute_batch("BEGIN")?;
        let completed = hold(&conn, Lock::Everything).and_then(|()| {
            schema::complete_what_is_missing(&conn, location, now(), second_champion)
        });
        conn.execute_batch(if completed.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        completed?
    };
    engine.identity = place::identify(&conn, location)?;
    engine.connections.add(conn);
    Ok(Connected { backend: Box::new(engine), opened, put_back })
}
