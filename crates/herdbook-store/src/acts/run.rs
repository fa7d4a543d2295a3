//! Runs: started, given metrics, resumed, and ended without a model. The end that registers a model is in `registration`.

use std::collections::BTreeMap;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    Actor, EventDraft, EventKind, ExperimentName, ModelName, Origin, Reason, Registration, RunId,
    RunPhase, RunResult, RunStatus, Stage, VersionType, guard_run_tags,
};

use crate::acts::files::HashedFiles;
use crate::acts::limits::{OverLimit, check_run_name, check_tags};
use crate::acts::registration::{Finish, check_compared};
use crate::acts::sealing;
use crate::clock::{new_id, now};
use crate::dataset_input::DatasetInput;
use crate::engine::backend::NewRun;
use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::session::Session;
use crate::tables::event::{self, EventQuery};
use crate::tables::lease::{self, Lease, Liveness};
use crate::tables::metric::{self, Metric};
use crate::tables::run::{close, insert, require_running, set_params, status};
use crate::tables::unsealed::Measured;
use crate::tables::{dataset_input, tag, version};

/// A run to be started.
#[derive(Debug, Clone)]
pub struct RunStart {
    /// The experiment of the run; created if it does not exist.
    pub experiment: ExperimentName,
    /// The registered model that the run's model is meant for.
    pub model: ModelName,
    /// Timeframe, model type and parent of the model.
    pub origin: Origin,
    /// Display name; `None`: made of timeframe, model type and the first digits of a random id.
    pub name: Option<String>,
    /// Params by key.
    pub params: BTreeMap<String, String>,
    /// Tags that herdbook computes, such as the honesty state. They are written as they are.
    pub tags: Tags,
    /// Tags given by a user, which replace others of the same key. Tags that herdbook manages must have the value that
    /// herdbook would give them.
    pub user_tags: Tags,
}

/// Why a run ends without registering a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnfinishedEnd {
    /// An error stopped it.
    Failed,
    /// The user stopped it.
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
    /// Starts a run: its status is RUNNING, and this process holds its lease. If anything is refused, no run is created.
    ///
    /// # Errors
    /// [`StoreError::CannotStart`] for a name or tag that is longer than MLflow allows; [`StoreError::Refused`] for a
    /// tag that herdbook manages; [`StoreError::DeletedExperiment`] and [`StoreError::ForeignArtifacts`] for an experiment
    /// that takes no new runs.
    pub fn start_run(&self, start: &RunStart) -> Result<RunId, StoreError> {
        let user_tags = checked_user_tags(start)?;
        let id = new_id();
        let generated =
            || format!("{}-{}-{}", start.origin.timeframe, start.origin.model_type(), &id[..8]);
        let name = start.name.clone().unwrap_or_else(generated);
        let mut tags = start.tags.clone();
        tags.extend(start.origin.run_tags());
        tags.extend(mlflow_tags(self.actor(), &name));
        tags.extend(user_tags);
        if start.name.is_some() {
            tags.insert(RUN_NAME.to_owned(), name.clone());
        }
        let lease = Lease::of_this_process();
        let input = DatasetInput::of_run(&start.params);
        let created = self.backend().create_run(&NewRun {
            experiment: &start.experiment,
            token: &id,
            tags: tags.clone(),
            input: input.as_ref(),
            actor: self.actor(),
        })?;
        let parent = start.origin.enhanced.as_ref().map(|enhanced| &enhanced.parent);
        self.with_hashed_files(HashedFiles::default(), |files| {
            self.write(|act| {
                let parents = match parent {
                    Some(parent) => version::keys_of_run(act.tx, parent)?,
                    None => Vec::new(),
                };
                let names = parents.iter().map(|key| &key.name);
                let at = act.time_for(names.chain([&start.model]))?;
                let mut events = match parent {
                    Some(parent) => sealing::seal_versions_of(act.tx, parent, files, at)?,
                    None => Vec::new(),
                };
                let run_id = if let Some(created) = &created {
                    created.clone()
                } else {
                    let (tx, root, actor) = (act.tx, act.artifact_root, self.actor());
                    let run_id = RunId::parse(&id).expect("a new id is a run id");
                    insert(tx, root, actor, &start.experiment, &run_id, &name, at)?;
                    if let Some(input) = &input {
                        dataset_input::log(tx, &run_id, input)?;
                    }
                    run_id
                };
                tag::set_on_run(act.tx, &run_id, &tags)?;
                set_params(act.tx, &run_id, &start.params)?;
                lease::write(act.tx, &run_id, &lease)?;
                events.push(started_event(start, &run_id));
                act.append(at, events)?;
                Ok(run_id)
            })
        })
    }

    /// Adds metrics to a RUNNING run.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`], [`StoreError::RunNotRunning`].
    pub fn log_metrics(&self, run_id: &RunId, metrics: &[Metric]) -> Result<(), StoreError> {
        self.write_on_run(run_id, |act| {
            require_running(act.tx, run_id)?;
            metric::log(act.tx, run_id, metrics)
        })
    }

    /// Ends a run without registering a model. A run that has ended already stays as it is.
    ///
    /// `reason` is kept in the history: its first 1,000 characters, without control characters.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`].
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

    /// Ends a run as FINISHED without registering its model, for a sweep that registers only the best of several runs. Its
    /// result is sealed in the event.
    ///
    /// If an earlier call already did this and only its answer was lost, nothing is changed.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`]; [`StoreError::RunNotRunning`] if the run ended in another way;
    /// [`StoreError::TestedMeanwhile`].
    pub fn finish_unregistered(&self, finish: &Finish) -> Result<(), StoreError> {
        let Registration { run_id, name: model, model_sha256, .. } = &finish.registration;
        let Measured { params, metrics, test } = &finish.measured;
        let test_basis = test.clone().unwrap_or_default();
        let result = RunResult::new(model_sha256, params, metrics, test_basis);
        self.write(|act| {
            if has_finished(act.tx, run_id)? {
                return Ok(());
            }
            require_running(act.tx, run_id)?;
            let at = act.time_for([model])?;
            check_compared(act.tx, run_id, test.as_ref())?;
            metric::log(act.tx, run_id, &finish.metrics)?;
            tag::set_on_run(act.tx, run_id, &finish.run_tags)?;
            close(act.tx, run_id, RunStatus::Finished, at)?;
            act.append(at, [result.in_end(ended_event(model, run_id, RunStatus::Finished))])?;
            Ok(())
        })
    }

    /// Sets a run RUNNING again that failed, was cancelled, or whose process died. This process takes its lease.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`]; [`StoreError::NotResumable`] if the run is finished or deleted, or its process is alive.
    pub fn resume_run(&self, run_id: &RunId, model: &ModelName) -> Result<(), StoreError> {
        let lease = Lease::of_this_process();
        self.write(|act| {
            let before = resumable_status(act.tx, run_id)?;
            let at = act.time_for([model])?;
            act.tx.execute(
                "UPDATE runs SET status = 'RUNNING', end_time = NULL WHERE run_uuid = ?1",
                params![run_id.as_str()],
            )?;
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

/// The tag in which MLflow keeps a run's display name, beside the column.
const RUN_NAME: &str = "mlflow.runName";

/// The user's tags of a new run that are to be written: without those that only repeat what herdbook manages.
fn checked_user_tags(start: &RunStart) -> Result<Tags, StoreError> {
    let over_limit = |OverLimit { what, problem }| StoreError::CannotStart { what, problem };
    check_run_name(start.name.as_deref().unwrap_or_default()).map_err(over_limit)?;
    check_tags(&start.user_tags).map_err(over_limit)?;
    // The values that registering the model will give these tags.
    let mut managed = Tags::from([
        (key::VERSION_TYPE.to_owned(), VersionType::Latest.to_string()),
        (key::PROMOTION_STAGE.to_owned(), Stage::Development.to_string()),
    ]);
    managed.extend(start.tags.clone());
    Ok(guard_run_tags(&start.user_tags, &managed, RunPhase::Unregistered)?)
}

fn mlflow_tags(actor: &Actor, name: &str) -> Tags {
    Tags::from([
        (RUN_NAME.to_owned(), name.to_owned()),
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

/// Whether the history says that herdbook finished a run. A run that another program finished has no such event.
fn has_finished(conn: &Conn, run_id: &RunId) -> Result<bool, StoreError> {
    let (run_id, kind) = (Some(run_id.clone()), Some(EventKind::RunEnded));
    let ends = event::select(conn, &EventQuery { run_id, kind, ..EventQuery::default() })?;
    let finished = RunStatus::Finished.to_string();
    Ok(ends.iter().any(|end| end.what.to.as_ref() == Some(&finished)))
}

/// The status of a run that may be resumed.
fn resumable_status(conn: &Conn, run_id: &RunId) -> Result<String, StoreError> {
    let (status, lifecycle) = status(conn, run_id)?;
    let refused =
        |problem: String| Err(StoreError::NotResumable { run_id: run_id.clone(), problem });
    if lifecycle != "active" {
        return refused("is deleted".to_owned());
    }
    if status == RunStatus::Running.as_str() {
        let Some(lease) = lease::of_run(conn, run_id)? else {
            return refused("is RUNNING, but herdbook does not train it".to_owned());
        };
        let liveness = lease.liveness(now());
        let Lease { host, pid, refreshed_at, .. } = lease;
        return match liveness {
            Some(Liveness::Dead) => Ok(status),
            Some(Liveness::Alive) => {
                refused(format!("is being trained by process {pid} on {host}"))
            }
            None => refused(format!(
                "has a lease from {refreshed_at}, in the future of this machine's clock, so it is unknown whether process {pid} on {host} still trains it"
            )),
        };
    }
    if [RunStatus::Failed, RunStatus::Killed].iter().any(|ended| ended.as_str() == status) {
        return Ok(status);
    }
    refused(format!("is {status}"))
}
