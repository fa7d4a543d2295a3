//! Leases: which process trains a run, and whether that process is alive.

use herdbook_domain::{RunId, Timestamp};

use crate::clock::now;
use crate::engine::db::{Conn, Row, params};
use crate::error::StoreError;

/// How often a training renews its lease.
pub const LEASE_REFRESH_MS: i64 = 15_000;
/// How long after its last renewal a process is assumed to be dead.
pub const LEASE_EXPIRY_MS: i64 = 120_000;

/// The process that trains a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Name of the machine.
    pub host: String,
    /// Process id.
    pub pid: i64,
    /// When the process started, in the clock ticks of `/proc/<pid>/stat`; 0 if that cannot be read.
    pub process_started: i64,
    /// When it last renewed its lease.
    pub refreshed_at: Timestamp,
}

/// Whether the process of a run with status RUNNING is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Liveness {
    /// Its lease is fresh, and its process is not known to have ended.
    Alive,
    /// Its process has ended, or has not renewed the lease for [`LEASE_EXPIRY_MS`].
    Dead,
}

impl Lease {
    /// The lease of this process.
    pub fn of_this_process() -> Self {
        let pid = i64::from(std::process::id());
        Self {
            host: host(),
            pid,
            process_started: process_started(pid).unwrap_or(0),
            refreshed_at: now(),
        }
    }

    /// Whether both leases are of one process.
    pub fn is_same_process(&self, other: &Self) -> bool {
        let process = |lease: &Self| (lease.pid, lease.process_started);
        self.host == other.host && process(self) == process(other)
    }

    /// Whether its process is alive at a moment. The process itself can be looked up only on its own machine.
    ///
    /// `None` for a lease of another machine that was renewed more than [`LEASE_EXPIRY_MS`] after that moment: one of the
    /// two clocks is wrong, so the age of the lease is unknown.
    pub fn liveness(&self, at: Timestamp) -> Option<Liveness> {
        let age = at.millis().saturating_sub(self.refreshed_at.millis());
        let is_looked_up = self.host == host() && self.process_started != 0;
        let gone = is_looked_up && process_started(self.pid) != Some(self.process_started);
        if gone || age > LEASE_EXPIRY_MS {
            Some(Liveness::Dead)
        } else if is_looked_up || age >= -LEASE_EXPIRY_MS {
            Some(Liveness::Alive)
        } else {
            None
        }
    }
}

/// Writes the lease of a run, in place of an earlier one.
///
/// # Errors
/// Those of the database.
pub fn write(conn: &Conn, run_id: &RunId, lease: &Lease) -> Result<(), StoreError> {
    conn.execute(
        "INSERT INTO herdbook_leases (run_uuid, host, pid, process_started, refreshed_at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (run_uuid) DO UPDATE SET host = excluded.host, pid = excluded.pid,
            process_started = excluded.process_started, refreshed_at_ms = excluded.refreshed_at_ms",
        params![
            run_id.as_str(),
            lease.host,
            lease.pid,
            lease.process_started,
            lease.refreshed_at.millis()
        ],
    )?;
    Ok(())
}

/// Removes the lease of a run, if it has one.
///
/// # Errors
/// Those of the database.
pub fn remove(conn: &Conn, run_id: &str) -> Result<(), StoreError> {
    conn.execute("DELETE FROM herdbook_leases WHERE run_uuid = ?1", params![run_id])?;
    Ok(())
}

/// The lease of a run, if it has one.
///
/// # Errors
/// Those of the database.
pub fn of_run(conn: &Conn, run_id: &RunId) -> Result<Option<Lease>, StoreError> {
    conn.query_first(
        "SELECT host, pid, process_started, refreshed_at_ms FROM herdbook_leases
         WHERE run_uuid = ?1",
        params![run_id.as_str()],
        |row| from_columns(row, 0),
    )
    .map(Option::flatten)
}

/// The lease in four columns, from the given one on; `None` if one of them is NULL or of another kind.
///
/// # Errors
/// Those of the database.
pub(crate) fn from_columns(row: &Row<'_>, first: usize) -> Result<Option<Lease>, StoreError> {
    let host = row.readable(first)?;
    let (pid, started, refreshed) =
        (row.readable(first + 1)?, row.readable(first + 2)?, row.readable(first + 3)?);
    let (Some(host), Some(pid), Some(process_started), Some(refreshed)) =
        (host, pid, started, refreshed)
    else {
        return Ok(None);
    };
    let refreshed_at = Timestamp::from_millis(refreshed);
    Ok(Some(Lease { host, pid, process_started, refreshed_at }))
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// When a process that is alive started: field 22 of `/proc/<pid>/stat`. Fields are counted after the command name, which may contain
/// spaces and brackets. A process that has ended and waits for its parent (state `Z`) is not alive.
fn process_started(pid: i64) -> Option<i64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive() {
        assert_eq!(Lease::of_this_process().liveness(now()), Some(Liveness::Alive));
    }

    #[test]
    fn process_that_ended_but_was_not_collected_is_dead() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = i64::from(child.id());
        while !matches!(std::fs::read_to_string(format!("/proc/{pid}/stat")), Ok(stat) if stat.contains(") Z "))
        {
            std::thread::yield_now();
        }
        assert_eq!(process_started(pid), None);
        child.wait().unwrap();
    }

    #[test]
    fn process_that_took_over_a_pid_is_another_one() {
        let mut lease = Lease::of_this_process();
        lease.process_started += 1;
        assert_eq!(lease.liveness(now()), Some(Liveness::Dead));
    }

    #[test]
    fn silent_process_of_another_machine_is_dead_after_two_minutes() {
        let lease = Lease { host: "elsewhere".to_owned(), ..Lease::of_this_process() };
        let later = |millis| Timestamp::from_millis(lease.refreshed_at.millis() + millis);
        assert_eq!(lease.liveness(later(LEASE_EXPIRY_MS)), Some(Liveness::Alive));
        assert_eq!(lease.liveness(later(LEASE_EXPIRY_MS + 1)), Some(Liveness::Dead));
    }

    #[test]
    fn lease_from_the_future_says_nothing_about_a_process_of_another_machine() {
        let here = Lease::of_this_process();
        let earlier = |millis| Timestamp::from_millis(here.refreshed_at.millis() - millis);
        assert_eq!(here.liveness(earlier(i64::from(i32::MAX))), Some(Liveness::Alive));
        let elsewhere = Lease { host: "elsewhere".to_owned(), ..here.clone() };
        assert_eq!(elsewhere.liveness(earlier(LEASE_EXPIRY_MS)), Some(Liveness::Alive));
        assert_eq!(elsewhere.liveness(earlier(LEASE_EXPIRY_MS + 1)), None);
    }
}
