//! Runs: status, name, deletion and restoring.

use herdbook_store::engine::db::Conn;
use herdbook_store::tables::lease;
use herdbook_store::{Session, StoreError, now, params};

use super::info::{COLUMNS, RUN_NAME, RunInfo, RunStatus, info_from_row};
use super::writable::{change, no_run, require_active};
use crate::error::MlflowError;

/// Changes of a run's row.
#[derive(Debug, Clone, Default)]
pub struct RunUpdate {
    /// The new status.
    pub status: Option<RunStatus>,
    /// The new time of its end, in milliseconds since 1970.
    pub end_time: Option<i64>,
    /// The new name; `None` or empty for the present one.
    pub name: Option<String>,
}

/// Changes the row of an active run and returns it. A run that ends loses its lease.
///
/// # Errors
/// [`MlflowError::Refused`] if the run does not exist or was deleted; those of the store.
pub fn update(session: &Session, run_id: &str, update: &RunUpdate) -> Result<RunInfo, MlflowError> {
    change(session, run_id, |act| {
        require_active(act.tx, run_id)?;
        act.tx.execute(
            "UPDATE runs SET status = coalesce(?2, status), end_time = coalesce(?3, end_time) WHERE run_uuid = ?1",
            params![run_id, update.status.map(RunStatus::as_str), update.end_time],
        )?;
        if update.status.is_some_and(RunStatus::is_end) {
            lease::remove(act.tx, run_id)?;
        }
        if let Some(name) = update.name.as_deref().filter(|name| !name.is_empty()) {
            rename(act.tx, run_id, name)?;
        }
        let sql = format!("SELECT {COLUMNS} FROM runs WHERE run_uuid = ?1");
        Ok(act.tx.query_row(&sql, params![run_id], info_from_row)?)
    })
}

/// Sets the name of a run, in its row and in its tag.
pub(crate) fn rename(conn: &Conn, run_id: &str, name: &str) -> Result<(), StoreError> {
    conn.execute("UPDATE runs SET name = ?2 WHERE run_uuid = ?1", params![run_id, name])?;
    put_tag(conn, run_id, RUN_NAME, name)
}

/// Sets a tag of a run.
pub(crate) fn put_tag(conn: &Conn, run_id: &str, key: &str, value: &str) -> Result<(), StoreError> {
    conn.execute(
        "INSERT INTO tags (key, value, run_uuid) VALUES (?1, ?2, ?3)
         ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value",
        params![key, value, run_id],
    )?;
    Ok(())
}

/// Deletes a run; it can be restored. A deleted run stays as it is, except for the time of its deletion.
///
/// # Errors
/// [`MlflowError::Refused`] if the run does not exist; those of the store.
pub fn delete(session: &Session, run_id: &str) -> Result<(), MlflowError> {
    move_to(session, run_id, "deleted", Some(now().millis()))
}

/// Restores a run.
///
/// # Errors
/// [`MlflowError::Refused`] if the run does not exist; those of the store.
pub fn restore(session: &Session, run_id: &str) -> Result<(), MlflowError> {
    move_to(session, run_id, "active", None)
}

fn move_to(
    session: &Session,
    run_id: &str,
    stage: &str,
    deleted_at: Option<i64>,
) -> Result<(), MlflowError> {
    change(session, run_id, |act| {
        let n_changed = act.tx.execute(
            "UPDATE runs SET lifecycle_stage = ?2, deleted_time = ?3 WHERE run_uuid = ?1",
            params![run_id, stage, deleted_at],
        )?;
        if n_changed == 0 { Err(no_run(run_id)) } else { Ok(()) }
    })
}
