//! Advisory locks of PostgreSQL, held until the transaction of an act ends. SQLite needs none: it has one writer at a time.

use herdbook_domain::ModelName;

use crate::engine::db::{Conn, params};
use crate::error::StoreError;

/// What an act locks until it ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lock<'n> {
    /// One registered model, which may not have a row yet.
    Model(&'n ModelName),
    /// The end of the chain of events.
    Chain,
    /// All records: no other act runs at the same time.
    Everything,
}

/// First of the two numbers of our advisory locks in PostgreSQL; "herd" in ASCII.
pub(crate) const LOCKS: &str = "1751478884";
/// Second number of the lock that every act shares and that `doctor --repair` and imports take exclusively.
pub(crate) const EVERYTHING: &str = "0";
/// Second number of the lock on the chain.
const CHAIN: &str = "1";

/// Takes a lock, waiting for it if necessary, until the transaction ends. Does nothing on SQLite.
pub(crate) fn hold(conn: &Conn, lock: Lock<'_>) -> Result<(), StoreError> {
    if matches!(conn, Conn::Sqlite(_)) {
        return Ok(());
    }
    let numbered = |number: &str| format!("SELECT 1 FROM pg_advisory_xact_lock({LOCKS}, {number})");
    match lock {
        // The model may have no row to lock, so the hash of its name is locked. Two names with the same hash merely wait for
        // each other.
        Lock::Model(name) => conn.query(
            "SELECT 1 FROM pg_advisory_xact_lock(hashtextextended(?1, 0))",
            params![name.as_str()],
            |_| Ok(()),
        )?,
        Lock::Chain => conn.query(&numbered(CHAIN), params![], |_| Ok(()))?,
        Lock::Everything => conn.query(&numbered(EVERYTHING), params![], |_| Ok(()))?,
    };
    Ok(())
}
