//! The lease of a run as a tag: which process trains it, and when that process last refreshed the lease.

use herdbook_store::{Lease, StoreError};
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

/// The tag's key.
pub(crate) const TAG: &str = "herdbook.lease";

#[derive(Serialize, Deserialize)]
struct Wire {
    v: u32,
    host: String,
    pid: i64,
    process_started: i64,
    refreshed_at_ms: i64,
}

/// Inserts the lease in a tag's value into the copy. A value that cannot be read is ignored.
///
/// # Errors
/// Those of SQLite.
pub(crate) fn insert(conn: &Connection, run_id: &str, tag: &str) -> Result<(), StoreError> {
    let Ok(lease) = serde_json::from_str::<Wire>(tag) else { return Ok(()) };
    conn.execute(
        "INSERT INTO herdbook_leases (run_uuid, host, pid, process_started, refreshed_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![run_id, lease.host, lease.pid, lease.process_started, lease.refreshed_at_ms],
    )?;
    Ok(())
}

/// The tag's value for a run's lease in the copy; `None` if it has none.
///
/// # Errors
/// Those of SQLite.
pub(crate) fn tag(conn: &Connection, run_id: &str) -> Result<Option<String>, StoreError> {
    let lease = conn
        .query_row(
            "SELECT host, pid, process_started, refreshed_at_ms FROM herdbook_leases
             WHERE run_uuid = ?1",
            [run_id],
            |row| {
                Ok(Wire {
                    v: 1,
                    host: row.get(0)?,
                    pid: row.get(1)?,
                    process_started: row.get(2)?,
                    refreshed_at_ms: row.get(3)?,
                })
            },
        )
        .optional()?;
    Ok(lease.map(|lease| json(&lease)))
}

/// The tag's value for a lease.
pub(crate) fn of(lease: &Lease) -> String {
    json(&Wire {
        v: 1,
        host: lease.host.clone(),
        pid: lease.pid,
        process_started: lease.process_started,
        refreshed_at_ms: lease.refreshed_at.millis(),
    })
}

fn json(lease: &Wire) -> String {
    serde_json::to_string(lease).expect("a lease is plain data")
}
