//! Runs: their rows.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use herdbook_domain::tags::Tags;
use herdbook_domain::{Actor, ExperimentName, RunId, RunStatus, Seal, Timestamp};

use crate::artifacts::place::location_of;
use crate::clock::now;
use crate::engine::db::{Conn, Row, params};
use crate::error::StoreError;
use crate::tables::lease::{self, Liveness};
use crate::tables::metric::{self, LatestMetrics, MetricSelection};
use crate::tables::{experiment, seal, tag};

/// One run on record.
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
    /// When it began; the epoch if that is not on record.
    pub started_at: Timestamp,
    /// When it ended; `None` if it has not, or that is not on record.
    pub ended_at: Option<Timestamp>,
    /// Whether it was deleted through MLflow.
    pub deleted: bool,
    /// Its tags.
    pub tags: Tags,
    /// Its params.
    pub params: BTreeMap<String, String>,
    /// The last value of each metric.
    pub metrics: LatestMetrics,
    /// Whether its process is alive; `None` unless the run is RUNNING and has a lease of a known age.
    pub liveness: Option<Liveness>,
    /// The seal of the version registered from it; `None` if there is none.
    pub seal: Option<Seal>,
    /// Why the seal in the history cannot be believed.
    pub seal_problem: Option<String>,
}

impl RunRecord {
    /// The last value of a metric; `None` if it was never logged, or is NaN or infinite.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.finite(name)
    }

    /// The metrics on which rules decide: the sealed ones, or without a seal the last finite ones.
    pub fn metrics_for_rules(&self) -> BTreeMap<String, f64> {
        match &self.seal {
            Some(seal) => seal.facts.metric_values(),
            None if self.seal_problem.is_some() => BTreeMap::new(),
            None => self.finite_metrics(),
        }
    }

    /// The params about symbol, bars, windows and costs on which rules decide: the sealed ones, or without a seal all params.
    pub fn params_for_rules(&self) -> &BTreeMap<String, String> {
        static NONE: BTreeMap<String, String> = BTreeMap::new();
        match &self.seal {
            Some(seal) => &seal.facts.params,
            None if self.seal_problem.is_some() => &NONE,
            None => &self.params,
        }
    }

    /// The last values of the metrics that are finite, by name.
    pub fn finite_metrics(&self) -> BTreeMap<String, f64> {
        self.metrics.finite_values()
    }
}

/// Inserts a run with status RUNNING, in the experiment of a name, which is created if there is none.
///
/// # Errors
/// [`StoreError::DeletedExperiment`]; [`StoreError::ForeignArtifacts`] if the experiment's artifacts are not on this machine.
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

/// Sets the params of a new run. A param that exists already keeps its value: if the act is repeated, a server may have it.
///
/// # Errors
/// Those of the database.
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

/// Status and lifecycle stage of a run, empty if it has none. No other program can change them until the act ends.
///
/// # Errors
/// [`StoreError::NoSuchRun`].
pub fn status(conn: &Conn, run_id: &RunId) -> Result<(String, String), StoreError> {
    let for_update = conn.dialect().for_update();
    conn.query_first(
        &format!("SELECT status, lifecycle_stage FROM runs WHERE run_uuid = ?1{for_update}"),
        params![run_id.as_str()],
        |row| {
            let text = |column| row.shown(column).map(Option::unwrap_or_default);
            Ok((text(0)?, text(1)?))
        },
    )?
    .ok_or_else(|| StoreError::NoSuchRun { run_id: run_id.clone() })
}

/// Fails if a run has ended or was deleted.
///
/// # Errors
/// [`StoreError::NoSuchRun`], [`StoreError::RunNotRunning`].
pub fn require_running(conn: &Conn, run_id: &RunId) -> Result<(), StoreError> {
    let (status, lifecycle) = status(conn, run_id)?;
    if status == RunStatus::Running.as_str() && lifecycle == "active" {
        return Ok(());
    }
    let status = if lifecycle == "active" { status } else { lifecycle };
    Err(StoreError::RunNotRunning { run_id: run_id.clone(), status })
}

/// Fails if a run has not finished successfully, or was deleted.
///
/// # Errors
/// [`StoreError::NoSuchRun`], [`StoreError::RunNotFinished`].
pub fn require_finished(conn: &Conn, run_id: &RunId) -> Result<(), StoreError> {
    let (status, lifecycle) = status(conn, run_id)?;
    if status == RunStatus::Finished.as_str() && lifecycle == "active" {
        return Ok(());
    }
    let status = if lifecycle == "active" { status } else { lifecycle };
    Err(StoreError::RunNotFinished { run_id: run_id.clone(), status })
}

/// Ends a run: sets its status and end time and removes its lease.
///
/// # Errors
/// Those of the database.
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

/// The URI of a run's artifacts.
///
/// # Errors
/// [`StoreError::NoSuchRun`]; [`StoreError::Artifact`], as for a missing file, if the run's row has none.
pub fn artifact_uri(conn: &Conn, run_id: &RunId) -> Result<String, StoreError> {
    let uri: Option<String> = conn
        .query_first(
            "SELECT artifact_uri FROM runs WHERE run_uuid = ?1",
            params![run_id.as_str()],
            |row| row.readable(0),
        )?
        .ok_or_else(|| StoreError::NoSuchRun { run_id: run_id.clone() })?;
    uri.ok_or_else(|| StoreError::Artifact {
        verb: "find",
        path: PathBuf::from(format!("{run_id}/artifacts")),
        source: io::Error::new(
            io::ErrorKind::NotFound,
            "its run has no artifact location on record",
        ),
    })
}

fn broken(run_id: &RunId, problem: &str) -> StoreError {
    StoreError::BrokenRecord { what: format!("run `{run_id}`"), problem: problem.to_owned() }
}

/// One run, deleted or not, with its tags, params and metrics.
///
/// # Errors
/// [`StoreError::NoSuchRun`]; [`StoreError::BrokenRecord`] if its status is not one of MLflow's.
pub fn load(conn: &Conn, run_id: &RunId) -> Result<RunRecord, StoreError> {
    let id = run_id.as_str();
    let mut record = conn
        .query_first(
            "SELECT coalesce(r.name, ''), coalesce(e.name, ''), r.status, r.start_time, r.end_time,
                coalesce(r.lifecycle_stage = 'deleted', FALSE)
             FROM runs r LEFT JOIN experiments e USING (experiment_id) WHERE r.run_uuid = ?1",
            params![id],
            |row| from_row(row, run_id),
        )?
        .ok_or_else(|| StoreError::NoSuchRun { run_id: run_id.clone() })?;
    record.tags = tag::of_run(conn, id)?;
    record.params = tag::params_of_run(conn, id)?;
    record.metrics = metric::latest_of_run(conn, id, MetricSelection::All)?;
    match seal::of_run(conn, run_id) {
        Err(error @ StoreError::BrokenRecord { .. }) => {
            record.seal_problem = Some(error.to_string());
        }
        outcome => record.seal = outcome?,
    }
    if record.status == RunStatus::Running {
        record.liveness = lease::of_run(conn, run_id)?.and_then(|lease| lease.liveness(now()));
    }
    Ok(record)
}

fn from_row(row: &Row<'_>, run_id: &RunId) -> Result<RunRecord, StoreError> {
    Ok(RunRecord {
        run_id: run_id.clone(),
        name: row.shown(0)?.unwrap_or_default(),
        experiment: row.shown(1)?.unwrap_or_default(),
        status: match row.shown(2)? {
            Some(status) => status.parse().map_err(|error| broken(run_id, &format!("{error}")))?,
            None => return Err(broken(run_id, "it has no status")),
        },
        started_at: Timestamp::from_millis(row.readable(3)?.unwrap_or(0)),
        ended_at: row.readable(4)?.map(Timestamp::from_millis),
        deleted: row.get(5)?,
        tags: Tags::new(),
        params: BTreeMap::new(),
        metrics: LatestMetrics::default(),
        liveness: None,
        seal: None,
        seal_problem: None,
    })
}
