//! Runs: started, fed with metrics, and ended; the end that registers a model is in `registration`.

use std::collections::BTreeMap;

use herdbook_domain::tags::Tags;
use herdbook_domain::{
    Actor, EventDraft, EventKind, ExperimentName, ModelName, Origin, Reason, RunId, RunStatus,
    Timestamp,
};

use crate::db::{Conn, Row, params};
use crate::lease::{self, Lease, Liveness};
use crate::metric::{self, Metric};
use crate::store::{Act, new_id, now};
use crate::{EventQuery, MetricSelection, Store, StoreError, event, experiment, tag};

/// A training about to begin.
#[derive(Debug, Clone)]
pub struct RunStart {
    /// The experiment it belongs to; made where there is none.
    pub experiment: ExperimentName,
    /// The registered model it means to join.
    pub model: ModelName,
    /// How its model comes to be.
    pub origin: Origin,
    /// Fixed inputs, by key.
    pub params: BTreeMap<String, String>,
    /// Further tags.
    pub tags: Tags,
}

/// How a training ends that registers nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnfinishedEnd {
    /// By an error.
    Failed,
    /// By the user.
    Killed,
}

impl UnfinishedEnd {
    const fn status(self) -> RunStatus {
        match self {
            Self::Failed => RunStatus::Failed,
            Self::Killed => RunStatus::Killed,
        }
    }
}

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

impl Store {
    /// Begins a run: RUNNING, with a lease of this process.
    pub fn start_run(&self, start: &RunStart) -> Result<RunId, StoreError> {
        let id = new_id();
        let name = format!("{}-{}-{}", start.origin.timeframe, start.origin.model_type(), &id[..8]);
        let mut tags = start.tags.clone();
        tags.extend(start.origin.run_tags());
        tags.extend(mlflow_tags(self.actor(), &name));
        // A server chooses the ids of its runs itself.
        let made = match self.remote() {
            Some(remote) => Some(remote.make_run(start.experiment.as_str(), &id, tags.clone())?),
            None => None,
        };
        self.write(|act| {
            let at = act.time_for([&start.model])?;
            let run_id = RunId::parse(made.as_ref().unwrap_or(&id)).map_err(|error| {
                StoreError::BrokenRecord {
                    what: "a new run id".to_owned(),
                    problem: error.to_string(),
                }
            })?;
            if made.is_none() {
                insert(act, &start.experiment, &run_id, &name, at)?;
            }
            tag::set_on_run(act.tx, &run_id, &tags)?;
            set_params(act.tx, &run_id, &start.params)?;
            lease::write(act.tx, &run_id, &Lease::of_this_process())?;
            event::append(act, at, [started_event(start, &run_id)])?;
            Ok(run_id)
        })
    }

    /// Adds metrics to a run that is RUNNING.
    pub fn log_metrics(&self, run_id: &RunId, metrics: &[Metric]) -> Result<(), StoreError> {
        self.write_on_run(run_id, |act| {
            require_running(act.tx, run_id)?;
            metric::log(act.tx, run_id, metrics)
        })
    }

    /// Ends a run that registers nothing. A run that is ended already stays as it is.
    pub fn end_run(
        &self,
        run_id: &RunId,
        model: &ModelName,
        end: UnfinishedEnd,
        reason: &str,
    ) -> Result<(), StoreError> {
        self.write(|act| {
            if status(act.tx, run_id)?.0 != RunStatus::Running.as_str() {
                return Ok(());
            }
            let at = act.time_for([model])?;
            close(act.tx, run_id, end.status(), at)?;
            let printable: String =
                reason.chars().filter(|c| !c.is_control()).take(1_000).collect();
            let draft = EventDraft {
                reason: Reason::parse(&printable).ok().map(|reason| reason.to_string()),
                ..ended_event(model, run_id, end.status())
            };
            event::append(act, at, [draft])?;
            Ok(())
        })
    }

    /// Ends a run as FINISHED without registering its model: one of several, of which another may be chosen. Where an
    /// earlier try did it whose answer was lost, nothing is changed.
    pub fn finish_unregistered(
        &self,
        run_id: &RunId,
        model: &ModelName,
        metrics: &[Metric],
        tags: &Tags,
    ) -> Result<(), StoreError> {
        self.write(|act| {
            if has_finished(act.tx, run_id)? {
                return Ok(());
            }
            require_running(act.tx, run_id)?;
            let at = act.time_for([model])?;
            metric::log(act.tx, run_id, metrics)?;
            tag::set_on_run(act.tx, run_id, tags)?;
            close(act.tx, run_id, RunStatus::Finished, at)?;
            event::append(act, at, [ended_event(model, run_id, RunStatus::Finished)])?;
            Ok(())
        })
    }

    /// Makes a run that failed, was cancelled or whose process died RUNNING again, with a lease of this process.
    ///
    /// # Errors
    /// [`StoreError::NotResumable`] where the run is finished or deleted, or its process lives.
    pub fn resume_run(&self, run_id: &RunId, model: &ModelName) -> Result<(), StoreError> {
        self.write(|act| {
            let before = resumable_status(act.tx, run_id)?;
            let at = act.time_for([model])?;
            act.tx.execute(
                "UPDATE runs SET status = 'RUNNING', end_time = NULL WHERE run_uuid = ?1",
                params![run_id.as_str()],
            )?;
            let lease = Lease::of_this_process();
            lease::remove(act.tx, run_id.as_str())?;
            lease::write(act.tx, run_id, &lease)?;
            let details = serde_json::json!({
                "v": 1,
                "host": lease.host,
                "pid": lease.pid,
                "process_started": lease.process_started,
            });
            let draft = EventDraft {
                name: Some(model.clone()),
                run_id: Some(run_id.clone()),
                from: Some(before),
                to: Some(RunStatus::Running.to_string()),
                ..EventDraft::new(EventKind::RunResumed, &details)
            };
            event::append(act, at, [draft])?;
            Ok(())
        })
    }

    /// The last step of each metric of a run.
    pub fn logged_steps(&self, run_id: &RunId) -> Result<BTreeMap<String, i64>, StoreError> {
        self.read(|conn| metric::last_steps(conn, run_id))
    }

    /// What the records say of a run.
    pub fn run(&self, run_id: &RunId) -> Result<RunRecord, StoreError> {
        self.read(|conn| load(conn, run_id))
    }

    /// The runs with a tag of this value, those that were not deleted, oldest first.
    pub fn runs_with_tag(&self, key: &str, value: &str) -> Result<Vec<RunRecord>, StoreError> {
        self.read(|conn| {
            let sql = format!(
                "SELECT r.run_uuid FROM tags t JOIN runs r USING (run_uuid)
                 WHERE t.key = ?1 AND {} AND r.lifecycle_stage = 'active'
                 ORDER BY r.start_time, r.run_uuid",
                conn.dialect().tag_is("t.value", "?2")
            );
            let ids: Vec<String> = conn.query(&sql, params![key, value], |row| row.get(0))?;
            ids.iter().filter_map(|id| RunId::parse(id).ok()).map(|id| load(conn, &id)).collect()
        })
    }

    /// The runs that say of themselves that they are being trained, newest first.
    pub fn running(&self) -> Result<Vec<RunRecord>, StoreError> {
        self.read(|conn| {
            let ids: Vec<String> = conn.query(
                "SELECT r.run_uuid FROM herdbook_leases l CROSS JOIN runs r
                 WHERE r.run_uuid = l.run_uuid AND r.status = 'RUNNING' AND r.lifecycle_stage = 'active'
                 ORDER BY r.start_time DESC, r.run_uuid",
                params![],
                |row| row.get(0),
            )?;
            ids.iter().filter_map(|id| RunId::parse(id).ok()).map(|id| load(conn, &id)).collect()
        })
    }
}

fn insert(
    act: &Act<'_>,
    experiment: &ExperimentName,
    run_id: &RunId,
    name: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let experiment = experiment::find_or_create(act, experiment, at)?;
    let artifacts = experiment.artifacts.join(run_id.as_str()).join("artifacts");
    act.tx.execute(
        "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name,
            user_id, status, start_time, source_version, lifecycle_stage, artifact_uri,
            experiment_id)
         VALUES (?1, ?2, 'UNKNOWN', '', '', ?3, 'RUNNING', ?4, '', 'active', ?5, ?6)",
        params![
            run_id.as_str(),
            name,
            act.context.actor.as_str(),
            at.millis(),
            experiment::location_of(&artifacts),
            experiment.id
        ],
    )?;
    Ok(())
}

fn mlflow_tags(actor: &Actor, name: &str) -> Tags {
    Tags::from([
        ("mlflow.runName".to_owned(), name.to_owned()),
        ("mlflow.user".to_owned(), actor.to_string()),
        ("mlflow.source.name".to_owned(), "herdbook".to_owned()),
        ("mlflow.source.type".to_owned(), "LOCAL".to_owned()),
    ])
}

fn started_event(start: &RunStart, run_id: &RunId) -> EventDraft {
    let details = serde_json::json!({
        "v": 1,
        "timeframe": start.origin.timeframe,
        "model_type": start.origin.model_type(),
    });
    EventDraft {
        name: Some(start.model.clone()),
        run_id: Some(run_id.clone()),
        to: Some(RunStatus::Running.to_string()),
        parent: start.origin.enhanced.as_ref().map(|enhanced| enhanced.parent.clone()),
        ..EventDraft::new(EventKind::RunStarted, &details)
    }
}

fn ended_event(model: &ModelName, run_id: &RunId, status: RunStatus) -> EventDraft {
    EventDraft {
        name: Some(model.clone()),
        run_id: Some(run_id.clone()),
        from: Some(RunStatus::Running.to_string()),
        to: Some(status.to_string()),
        ..EventDraft::new(EventKind::RunEnded, &serde_json::json!({"v": 1}))
    }
}

/// Whether the log says that a run came to its end: a run that someone else finished is not meant.
fn has_finished(conn: &Conn, run_id: &RunId) -> Result<bool, StoreError> {
    let (run_id, kind) = (Some(run_id.clone()), Some(EventKind::RunEnded));
    let ends = event::select(conn, &EventQuery { run_id, kind, ..EventQuery::default() })?;
    let finished = RunStatus::Finished.to_string();
    Ok(ends.iter().any(|end| end.what.to.as_ref() == Some(&finished)))
}

/// Notes the end of a run in the log.
pub(crate) fn record_end(
    act: &Act<'_>,
    at: Timestamp,
    model: &ModelName,
    run_id: &RunId,
    status: RunStatus,
) -> Result<(), StoreError> {
    event::append(act, at, [ended_event(model, run_id, status)]).map(drop)
}

/// Sets the params of a run that begins. Where the act begins again, a server may have them already.
fn set_params(
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
pub(crate) fn status(conn: &Conn, run_id: &RunId) -> Result<(String, String), StoreError> {
    let for_update = conn.dialect().for_update();
    conn.query_first(
        &format!("SELECT status, lifecycle_stage FROM runs WHERE run_uuid = ?1{for_update}"),
        params![run_id.as_str()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?
    .ok_or_else(|| StoreError::NoSuchRun { run_id: run_id.clone() })
}

/// Refuses to change a run that was ended or deleted meanwhile.
pub(crate) fn require_running(conn: &Conn, run_id: &RunId) -> Result<(), StoreError> {
    let (status, lifecycle) = status(conn, run_id)?;
    if status == RunStatus::Running.as_str() && lifecycle == "active" {
        return Ok(());
    }
    let status = if lifecycle == "active" { status } else { lifecycle };
    Err(StoreError::RunNotRunning { run_id: run_id.clone(), status })
}

/// The status of a run that may go on.
fn resumable_status(conn: &Conn, run_id: &RunId) -> Result<String, StoreError> {
    let (status, lifecycle) = status(conn, run_id)?;
    let refused =
        |problem: String| Err(StoreError::NotResumable { run_id: run_id.clone(), problem });
    if lifecycle != "active" {
        return refused("is deleted".to_owned());
    }
    if status == RunStatus::Running.as_str() {
        let Some(lease) = lease::of_run(conn, run_id)? else {
            return refused("is RUNNING, but not in a training of herdbook's".to_owned());
        };
        if lease.liveness(now()) == Liveness::Alive {
            let Lease { host, pid, .. } = lease;
            return refused(format!("is being trained by process {pid} on {host}"));
        }
        return Ok(status);
    }
    if [RunStatus::Failed, RunStatus::Killed].iter().any(|ended| ended.as_str() == status) {
        return Ok(status);
    }
    refused(format!("is {status}"))
}

/// Refuses a run that did not come to its end, or was deleted.
pub(crate) fn require_finished(conn: &Conn, run_id: &RunId) -> Result<(), StoreError> {
    let (status, lifecycle) = status(conn, run_id)?;
    if status == RunStatus::Finished.as_str() && lifecycle == "active" {
        return Ok(());
    }
    let status = if lifecycle == "active" { status } else { lifecycle };
    Err(StoreError::RunNotFinished { run_id: run_id.clone(), status })
}

/// Ends a run: its status, its time, its lease.
pub(crate) fn close(
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

pub(crate) fn artifact_uri(conn: &Conn, run_id: &RunId) -> Result<String, StoreError> {
    conn.query_first(
        "SELECT artifact_uri FROM runs WHERE run_uuid = ?1",
        params![run_id.as_str()],
        |row| row.get(0),
    )?
    .ok_or_else(|| StoreError::NoSuchRun { run_id: run_id.clone() })
}

pub(crate) fn load(conn: &Conn, run_id: &RunId) -> Result<RunRecord, StoreError> {
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
        status: crate::row::checked(row, 2, || format!("run `{run_id}`"))?,
        started_at: Timestamp::from_millis(row.get::<Option<i64>>(3)?.unwrap_or(0)),
        ended_at: row.get::<Option<i64>>(4)?.map(Timestamp::from_millis),
        deleted: row.get(5)?,
        tags: Tags::new(),
        params: BTreeMap::new(),
        metrics: BTreeMap::new(),
        liveness: None,
    })
}
