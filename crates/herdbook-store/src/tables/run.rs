//! Runs: their rows, and what the records say of one.

use std::collections::BTreeMap;
use std::path::Path;

use herdbook_domain::tags::Tags;
use herdbook_domain::{Actor, ExperimentName, RunId, RunStatus, Timestamp};

use crate::artifacts::place::location_of;
use crate::clock::now;
use crate::engine::db::{Conn, Row, params};
use crate::error::StoreError;
use crate::tables::lease::{self, Liveness};
use crate::tables::metric::{self, MetricSelection};
use crate::tables::{experiment, row as column, tag};

/// What the records say of one run.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// Its identity.
    pub run_id: RunId,
    /// Its display name.
    pub name: String,
    /// The experiment's name.
    pub experiment: String,
    /// Its status.
    pub status: RunStatus,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Whether it was deleted through MLflow.
    pub deleted: bool,
    /// Its tags.
    pub tags: Tags,
    /// Its params.
    pub params: BTreeMap<String, String>,
    /// The last finite value of each metric.
    pub metrics: BTreeMap<String, f64>,
    /// Whether its process lives; `None` unless it is RUNNING with a lease.
    pub liveness: Option<Liveness>,
}

pub fn insert(
    tx: &Conn,
    artifact_root: &Path,
    actor: &Actor,
    experiment: &ExperimentName,
    run_id: &RunId,
    name: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let experiment = experiment::find_or_create(tx, artifact_root, experiment, at)?;
    let artifacts = experiment.artifacts.join(run_id.as_str()).join("artifacts");
    tx.execute(
        "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name,
            user_id, status, start_time, source_version, lifecycle_stage, artifact_uri,
            experiment_id)
         VALUES (?1, ?2, 'UNKNOWN', '', '', ?3, 'RUNNING', ?4, '', 'active', ?5, ?6)",
        params![
            run_id.as_str(),
            name,
            actor.as_str(),
            at.millis(),
            location_of(&artifacts),
            experiment.id
        ],
    )?;
    Ok(())
}

/// Sets the params of a run that begins. Where the act begins again, a server may have them already.
pub fn set_params(
    conn: &Conn,
    run_id: &RunId,
    params: &BTreeMap<String, String>,
) -> Result<(), StoreError> {
    for (key, value) in params {
        conn.execute(
            "INSERT INTO params (key, value, run_uuid) VALUES (?1, ?2, ?3)
             ON CONFLICT (key, run_uuid) DO NOTHING",
            params![key, value, run_id.as_str()],
        )?;
    }
    Ok(())
}

/// Status and lifecycle stage of a run, which stay as they are until the act ends.
pub fn status(conn: &Conn, run_id: &RunId) -> Result<(String, String), StoreError> {
    let for_update = conn.dialect().for_update();
    conn.query_first(
        &format!("SELECT status, lifecycle_stage FROM runs WHERE run_uuid = ?1{for_update}"),
        params![run_id.as_str()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?
    .ok_or_else(|| StoreError::NoSuchRun { run_id: run_id.clone() })
}

/// Refuses to change a run that was ended or deleted meanwhile.
pub fn require_running(conn: &Conn, run_id: &RunId) -> Result<(), StoreError> {
    let (status, lifecycle) = status(conn, run_id)?;
    if status == RunStatus::Running.as_str() && lifecycle == "active" {
        return Ok(());
    }
    let status = if lifecycle == "active" { status } else { lifecycle };
    Err(StoreError::RunNotRunning { run_id: run_id.clone(), status })
}

/// Refuses a run that did not come to its end, or was deleted.
pub fn require_finished(conn: &Conn, run_id: &RunId) -> Result<(), StoreError> {
    let (status, lifecycle) = status(conn, run_id)?;
    if status == RunStatus::Finished.as_str() && lifecycle == "active" {
        return Ok(());
    }
    let status = if lifecycle == "active" { status } else { lifecycle };
    Err(StoreError::RunNotFinished { run_id: run_id.clone(), status })
}

/// Ends a run: its status, its time, its lease.
pub fn close(
    conn: &Conn,
    run_id: &RunId,
    status: RunStatus,
    at: Timestamp,
) -> Result<(), StoreError> {
    conn.execute(
        "UPDATE runs SET status = ?1, end_time = ?2 WHERE run_uuid = ?3",
        params![status.as_str(), at.millis(), run_id.as_str()],
    )?;
    lease::remove(conn, run_id.as_str())
}

pub fn artifact_uri(conn: &Conn, run_id: &RunId) -> Result<String, StoreError> {
    conn.query_first(
        "SELECT artifact_uri FROM runs WHERE run_uuid = ?1",
        params![run_id.as_str()],
        |row| row.get(0),
    )?
    .ok_or_else(|| StoreError::NoSuchRun { run_id: run_id.clone() })
}

pub fn load(conn: &Conn, run_id: &RunId) -> Result<RunRecord, StoreError> {
    let id = run_id.as_str();
    let mut record = conn
        .query_first(
            "SELECT coalesce(r.name, ''), coalesce(e.name, ''), r.status, r.start_time, r.end_time,
                r.lifecycle_stage = 'deleted'
             FROM runs r LEFT JOIN experiments e USING (experiment_id) WHERE r.run_uuid = ?1",
            params![id],
            |row| from_row(row, run_id),
        )?
        .ok_or_else(|| StoreError::NoSuchRun { run_id: run_id.clone() })?;
    record.tags = tag::of_run(conn, id)?;
    record.params = tag::params_of_run(conn, id)?;
    record.metrics = metric::latest_of_run(conn, id, MetricSelection::All)?;
    if record.status == RunStatus::Running {
        record.liveness = lease::of_run(conn, run_id)?.map(|lease| lease.liveness(now()));
    }
    Ok(record)
}

fn from_row(row: &Row<'_>, run_id: &RunId) -> Result<RunRecord, StoreError> {
    Ok(RunRecord {
        run_id: run_id.clone(),
        name: row.get(0)?,
        experiment: row.get(1)?,
        status: column::checked(row, 2, || format!("run `{run_id}`"))?,
        started_at: Timestamp::from_millis(row.get::<Option<i64>>(3)?.unwrap_or(0)),
        ended_at: row.get::<Option<i64>>(4)?.map(Timestamp::from_millis),
        deleted: row.get(5)?,
        tags: Tags::new(),
        params: BTreeMap::new(),
        metrics: BTreeMap::new(),
        liveness: None,
    })
}
