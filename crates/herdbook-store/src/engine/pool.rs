//! A bounded pool of database connections, shared by threads.

use std::ops::Deref;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::db::Conn;
use crate::error::StoreError;

/// A bounded pool of connections.
#[derive(Debug)]
pub(super) struct Pool {
    state: Mutex<State>,
    freed: Condvar,
    /// The most connections, idle or in use.
    limit: usize,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Conn>,
    /// Connections idle or in use.
    n_open: usize,
}

/// A connection in use. [`Lent::give_back`] returns it to the pool; if it is dropped, also by a panic, it is closed.
pub(super) struct Lent<'p> {
    pool: &'p Pool,
    conn: Option<Conn>,
}

impl Pool {
    /// An empty pool of at most `limit` connections, at least 1.
    pub(super) fn new(limit: usize) -> Self {
        Self { state: Mutex::default(), freed: Condvar::new(), limit: limit.max(1) }
    }

    /// Adds a connection that was opened elsewhere.
    pub(super) fn add(&self, conn: Conn) {
        let mut state = self.lock();
        state.idle.push(conn);
        state.n_open += 1;
    }

    /// Lends an idle connection that passes `is_usable`, or a new one. If all are in use, waits for one.
    ///
    /// # Errors
    /// [`StoreError::NoFreeConnection`] after `timeout`, and those of `connect`.
    pub(super) fn lend(
        &self,
        timeout: Duration,
        is_usable: impl Fn(&Conn) -> bool,
        connect: impl FnOnce() -> Result<Conn, StoreError>,
    ) -> Result<Lent<'_>, StoreError> {
        let deadline = Instant::now() + timeout;
        let mut state = self.lock();
        loop {
            while let Some(conn) = state.idle.pop() {
                if is_usable(&conn) {
                    return Ok(Lent { pool: self, conn: Some(conn) });
                }
                state.n_open -= 1;
            }
            if state.n_open < self.limit {
                state.n_open += 1;
                drop(state);
                // If `connect` fails, dropping this frees its place.
                let mut lent = Lent { pool: self, conn: None };
                lent.conn = Some(connect()?);
                return Ok(lent);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(StoreError::NoFreeConnection { limit: self.limit });
            }
            state = self.freed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent<'_> {
    /// Returns the connection to the pool.
    pub(super) fn give_back(mut self) {
        if let Some(conn) = self.conn.take() {
            let mut state = self.pool.lock();
            state.idle.push(conn);
            drop(state);
            self.pool.freed.notify_one();
            // The idle connection keeps its place, so `drop` must not free it.
            std::mem::forget(self);
        }
    }
}

impl Deref for Lent<'_> {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        self.conn.as_ref().expect("it holds a connection from `lend` to `give_back`")
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.pool.lock().n_open -= 1;
        self.pool.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect() -> Result<Conn, StoreError> {
        Ok(Conn::Sqlite(rusqlite::Connection::open_in_memory()?))
    }

    #[test]
    fn caller_beyond_the_limit_waits_for_a_connection_until_the_timeout() {
        let pool = Pool::new(2);
        let lend = |timeout| pool.lend(timeout, |_| true, connect);
        let (first, second) = (lend(Duration::ZERO).unwrap(), lend(Duration::ZERO).unwrap());
        assert!(matches!(
            lend(Duration::from_millis(10)).err(),
            Some(StoreError::NoFreeConnection { limit: 2 })
        ));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| lend(Duration::from_secs(60)).map(Lent::give_back));
            first.give_back();
            waiting.join().unwrap().unwrap();
        });
        // Dropping a connection frees its place.
        drop(second);
        let _both = (lend(Duration::ZERO).unwrap(), lend(Duration::ZERO).unwrap());
        assert!(lend(Duration::ZERO).is_err());
    }

    #[test]
    fn failed_and_dead_connections_free_their_places() {
        let pool = Pool::new(1);
        let fail = || Err(StoreError::NoFreeConnection { limit: 0 });
        assert!(pool.lend(Duration::ZERO, |_| true, fail).is_err());
        pool.lend(Duration::ZERO, |_| true, connect).unwrap().give_back();
        pool.lend(Duration::ZERO, |_| false, connect).unwrap().give_back();
        assert_eq!(pool.lock().n_open, 1);
    }
}
