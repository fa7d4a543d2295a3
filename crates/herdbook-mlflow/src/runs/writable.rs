//! Runs that may be written to.

use herdbook_domain::RunId;
use herdbook_store::engine::db::Conn;
use herdbook_store::{Act, Session, params};

use crate::act::{write, write_on_run};
use crate::error::MlflowError;
use crate::sql::text;

/// Runs an act that reads and writes the records of one run.
pub(crate) fn change<T>(
    session: &Session,
    run_id: &str,
    act: impl FnMut(&Act<'_>) -> Result<T, MlflowError>,
) -> Result<T, MlflowError> {
    match RunId::parse(run_id) {
        Ok(run_id) => write_on_run(session, &run_id, act),
        // A run of another program may have another kind of id.
        Err(_) => write(session, act),
    }
}

/// The experiment of a run that is not deleted. The run stays as it is until the act ends.
pub(crate) fn require_active(conn: &Conn, run_id: &str) -> Result<i64, MlflowError> {
    let sql = format!(
        "SELECT experiment_id, lifecycle_stage FROM runs WHERE run_uuid = ?1{}",
        conn.dialect().for_update()
    );
    let found = conn.query_first(&sql, params![run_id], |row| {
        Ok((row.readable(0)?.unwrap_or_default(), text(row, 1)?))
    })?;
    match found {
        None => Err(no_run(run_id)),
        Some((experiment, stage)) if stage == "active" => Ok(experiment),
        Some((_, stage)) => Err(MlflowError::invalid(format!(
            "The run {run_id} must be in the 'active' state. Current state is {stage}."
        ))),
    }
}

/// The refusal of a request about a run that does not exist.
pub(crate) fn no_run(run_id: &str) -> MlflowError {
    MlflowError::missing(format!("Run with id={run_id} not found"))
}
