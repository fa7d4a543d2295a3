//! Runs: started, fed with metrics, resumed, and ended without a model. The end that registers a model is in `registration`.

use std::collections::BTreeMap;

use herdbook_domain::tags::Tags;
use herdbook_domain::{
    Actor, EventDraft, EventKind, ExperimentName, ModelName, Origin, Reason, RunId, RunStatus,
};

use crate::clock::{new_id, now};
use crate::engine::backend::NewRun;
use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::session::Session;
use crate::tables::event::{self, EventQuery};
use crate::tables::lease::{self, Lease, Liveness};
use crate::tables::metric::{self, Metric};
use crate::tables::run::{close, insert, require_running, set_params, status};
use crate::tables::tag;

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

impl Session {
    /// Begins a run: RUNNING, with a lease of this process.
    pub fn start_run(&self, start: &RunStart) -> Result<RunId, StoreError> {
        let id = new_id();
        let name = format!("{}-{}-{}", start.origin.timeframe, start.origin.model_type(), &id[..8]);
        let mut tags = start.tags.clone();
        tags.extend(start.origin.run_tags());
        tags.extend(mlflow_tags(self.actor(), &name));
        let created = self.backend().create_run(&NewRun {
            experiment: &start.experiment,
            token: &id,
            tags: tags.clone(),
            actor: self.actor(),
        })?;
        self.write(|act| {
            let at = act.time_for([&start.model])?;
            let run_id = match &created {
                Some(created) => created.clone(),
                None => {
                    let (tx, root, actor) = (act.tx, act.artifact_root, self.actor());
                    let run_id = RunId::parse(&id).expect("a new identity is a run id");
                    insert(tx, root, actor, &start.experiment, &run_id, &name, at)?;
                    run_id
                }
            };
            tag::set_on_run(act.tx, &run_id, &tags)?;
            set_params(act.tx, &run_id, &start.params)?;
            lease::write(act.tx, &run_id, &Lease::of_this_process())?;
            act.append(at, [started_event(start, &run_id)])?;
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
            act.append(at, [draft])?;
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
            act.append(at, [ended_event(model, run_id, RunStatus::Finished)])?;
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
            act.append(at, [draft])?;
            Ok(())
        })
    }
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

pub(crate) fn ended_event(model: &ModelName, run_id: &RunId, status: RunStatus) -> EventDraft {
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
