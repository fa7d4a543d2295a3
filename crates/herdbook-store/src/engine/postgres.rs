//! PostgreSQL: acts side by side, each holding what it decides about until it ends.

use std::fmt;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use postgres::Client;
use postgres::error::SqlState;

use crate::clock::now;
use crate::engine::backend::{ActRequest, Backend, Effect, LookUp, Scope};
use crate::engine::db::{Conn, PostgresConn, params};
use crate::engine::locks::{EVERYTHING, LOCKS, Lock, hold};
use crate::engine::opening::{Connected, Missing, OpenOptions, Opened, SecondChampion};
use crate::engine::pool::{CONNECTIONS, Lent, Pool};
use crate::engine::schema::{self, Found};
use crate::engine::tls;
use crate::error::StoreError;
use crate::location::Location;
use crate::location::postgres::PostgresUri;
use crate::waiting;

/// How often an act that was in another's way, or whose connection broke, begins again.
const ATTEMPTS: u32 = 6;
/// Pause before the first repetition; doubled before each further one.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a server that accepted a connection may take for its first answer.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// After this long without a word inside a transaction the server takes a client for gone and lets go of what it holds.
const SILENCE: &str = "60s";

/// A database of a PostgreSQL server.
pub(crate) struct PostgresEngine {
    uri: PostgresUri,
    tls: tls::Connector,
    busy_timeout: Duration,
    connections: Pool,
}

impl fmt::Debug for PostgresEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresEngine").field(&self.uri).finish()
    }
}

/// How an attempt at an act ended.
enum Attempt {
    Over(Result<(), StoreError>),
    /// It was taken back, and may succeed when it begins again.
    TakenBack(StoreError),
}

impl Backend for PostgresEngine {
    /// Runs an act in a transaction of its own. Where it conflicted with another's, or the connection broke before the
    /// commit, it begins again from the start.
    fn write(&self, request: ActRequest<'_>, act: &mut LookUp<'_>) -> Result<(), StoreError> {
        self.repeat(|conn| self.attempt(conn, request.effect, act))
    }

    fn read(&self, _scope: Scope<'_>, look_up: &mut LookUp<'_>) -> Result<(), StoreError> {
        self.repeat(|conn| {
            let found = conn
                .execute_batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                .and_then(|()| look_up(conn));
            // Nothing was written: however it went, the connection is free for the next.
            let _ = conn.execute_batch("ROLLBACK");
            match found {
                Err(error) if may_begin_again(&error) => Attempt::TakenBack(error),
                found => Attempt::Over(found),
            }
        })
    }
}

impl PostgresEngine {
    fn repeat(&self, mut attempt: impl FnMut(&Conn) -> Attempt) -> Result<(), StoreError> {
        let (mut left, mut pause) = (ATTEMPTS, PAUSE);
        let (begun, mut is_announced) = (Instant::now(), false);
        loop {
            left -= 1;
            let attempted = self.connection().map(|conn| {
                let attempted = attempt(&conn);
                keep(conn);
                attempted
            });
            match attempted {
                Ok(Attempt::Over(outcome)) => return outcome,
                Ok(Attempt::TakenBack(error)) | Err(error)
                    if left > 0 && may_begin_again(&error) =>
                {
                    if begun.elapsed() > waiting::SILENT && !is_announced {
                        is_announced = true;
                        waiting::announce(&format!("waiting for `{}` ({error})", self.uri));
                    }
                    std::thread::sleep(pause);
                    pause *= 2;
                }
                Ok(Attempt::TakenBack(error)) | Err(error) => return Err(error),
            }
        }
    }

    fn attempt(&self, conn: &Conn, effect: Effect, act: &mut LookUp<'_>) -> Attempt {
        let answered = begin(conn).and_then(|transaction| act(conn).map(|()| transaction));
        let transaction = match answered {
            Ok(answered) => answered,
            Err(error) => {
                // Fails where the connection broke: then the server takes the transaction back by itself.
                let _ = conn.execute_batch("ROLLBACK");
                return if may_begin_again(&error) {
                    Attempt::TakenBack(error)
                } else {
                    Attempt::Over(Err(error))
                };
            }
        };
        if effect == Effect::DryRun {
            return Attempt::Over(conn.execute_batch("ROLLBACK"));
        }
        match conn.execute_batch("COMMIT") {
            Ok(()) => Attempt::Over(Ok(())),
            Err(error) if is_connection_lost(&error) => match self.was_committed(transaction) {
                Some(true) => Attempt::Over(Ok(())),
                Some(false) => Attempt::TakenBack(error),
                None => {
                    Attempt::Over(Err(StoreError::OutcomeUnknown { store: self.uri.to_string() }))
                }
            },
            Err(error) if may_begin_again(&error) => Attempt::TakenBack(error),
            Err(error) => Attempt::Over(Err(error)),
        }
    }

    /// What became of a transaction whose commit was sent and not answered; `None` where nobody can be asked.
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
                // The server may be starting again, or still be at it.
                _ if begun.elapsed() < self.busy_timeout => std::thread::sleep(PAUSE),
                _ => return None,
            }
        }
    }

    /// An idle connection that is not closed, or a new one.
    fn connection(&self) -> Result<Lent<'_>, StoreError> {
        self.connections.lend(self.busy_timeout, |conn| !is_closed(conn), || self.connect())
    }

    /// Connects in a thread of its own: neither the look-up of a name nor a server that accepts a connection and then is
    /// silent has a time-out of its own.
    fn client_in_time(&self) -> Result<Client, StoreError> {
        let config = self.uri.config.clone();
        let n_hosts = config.get_hosts().len().max(1) as u32;
        let per_host = config.get_connect_timeout().copied().unwrap_or_default();
        let limit = per_host * n_hosts + FIRST_ANSWER;
        let (tls, (sender, receiver)) = (self.tls.clone(), mpsc::channel());
        std::thread::spawn(move || {
            // The receiver is gone if the connection comes too late; then it is dropped, which closes it.
            let _ = sender.send(config.connect(tls));
        });
        let _watch = waiting::Watch::begin(format!("waiting for `{}` to answer", self.uri));
        match receiver.recv_timeout(limit) {
            Ok(client) => Ok(client?),
            Err(_) => Err(StoreError::Unreachable {
                store: self.uri.to_string(),
                problem: format!("it did not answer within {} s", limit.as_secs()),
            }),
        }
    }

    fn connect(&self) -> Result<Conn, StoreError> {
        let client = self.client_in_time()?;
        let conn = Conn::Postgres(Box::new(PostgresConn::new(client)));
        let patience_ms = self.busy_timeout.as_millis().max(1);
        // The order of a join is the one that is written, and a statement's plan does not depend on the values bound:
        // to plan a look-up took ten times as long as to carry it out.
        conn.execute_batch(&format!(
            "SET join_collapse_limit = 1; SET plan_cache_mode = force_generic_plan; SET jit = off;
             SET lock_timeout = {patience_ms};
             SET idle_in_transaction_session_timeout = '{SILENCE}';
             SET client_min_messages = warning;
             SELECT set_config('synchronous_commit', 'on', false)
             WHERE current_setting('synchronous_commit') = 'off'"
        ))?;
        Ok(conn)
    }
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

/// Begins an act's transaction, and answers its number, by which one can ask what became of it.
fn begin(conn: &Conn) -> Result<i64, StoreError> {
    // A statement sees what was committed before it began, so what is read after a lock is the newest.
    conn.execute_batch("BEGIN ISOLATION LEVEL READ COMMITTED")?;
    conn.query_row(
        &format!("SELECT txid_current() FROM pg_advisory_xact_lock_shared({LOCKS}, {EVERYTHING})"),
        params![],
        |row| row.get(0),
    )
}

/// Whether the server, or the end of the connection, took back all of it, so that it can simply be done again.
fn may_begin_again(error: &StoreError) -> bool {
    let StoreError::Postgres(source) = error else { return false };
    let in_the_way = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        // A program that takes no locks of ours was faster; now its row is seen.
        SqlState::UNIQUE_VIOLATION,
    ];
    is_connection_lost(error) || source.code().is_some_and(|code| in_the_way.contains(code))
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

/// Opens the database of a URI, and puts back what is missing of ours.
pub(super) fn connect(
    uri: &PostgresUri,
    location: &Location,
    options: &OpenOptions,
    second_champion: SecondChampion,
) -> Result<Connected, StoreError> {
    let unreachable = |problem| StoreError::Unreachable { store: uri.to_string(), problem };
    let engine = PostgresEngine {
        uri: uri.clone(),
        tls: tls::connector(uri).map_err(unreachable)?,
        busy_timeout: options.busy_timeout,
        connections: Pool::new(CONNECTIONS),
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
    engine.connections.add(conn);
    Ok(Connected { backend: Box::new(engine), opened, put_back })
}
