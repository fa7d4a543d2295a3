//! Locks of PostgreSQL that an act holds until its transaction ends.
//!
//! SQLite needs none: it has one writer at a time.

use herdbook_domain::ModelName;

use crate::engine::db::{Conn, params};
use crate::error::StoreError;

/// What an act holds until it ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lock<'n> {
    /// Acts on one registered model, whether it has a row yet or not.
    Model(&'n ModelName),
    /// The end of the chain of events.
    Chain,
    /// Every act.
    Everything,
}

/// First of the two numbers of our advisory locks in PostgreSQL; "herd" in ASCII.
pub(crate) const LOCKS: &str = "1751478884";
/// Second number of the lock that every act shares, and `doctor --repair` holds alone.
pub(crate) const EVERYTHING: &str = "0";
/// Second number of the lock on the chain.
const CHAIN: &str = "1";

/// Waits for a lock and holds it until the transaction ends. In SQLite the transaction holds everything anyway.
pub(crate) fn hold(conn: &Conn, lock: Lock<'_>) -> Result<(), StoreError> {
    if matches!(conn, Conn::Sqlite(_)) {
        return Ok(());
    }
    let numbered = |number: &str| format!("SELECT 1 FROM pg_advisory_xact_lock({LOCKS}, {number})");
    match lock {
        // A name is no number, and may have no row that could be held: its hash is held. Two names with one hash wait for
        // each other, no more.
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
