//! Runs of other programs: what scripts and MLflow itself log to them, and how their models are registered.
//!
//! A run that MLflow started has no lease, and no event before its model is registered.

use std::collections::BTreeMap;

use herdbook_domain::tags::Tags;
use herdbook_domain::{
    ModelName, Registration, RunId, RunPhase, RunStatus, TestBasis, guard_run_tags,
    guard_version_tags,
};

use crate::acts::limits::{OverLimit, check_metric, check_param, check_tags};
use crate::acts::registration::{Registered, register};
use crate::acts::run::ended_event;
use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::session::Session;
use crate::tables::metric::{self, Metric};
use crate::tables::unsealed::Measured;
use crate::tables::{run, tag, version};

/// Metrics, params and tags that are logged to a run together.
#[derive(Debug, Clone, Default)]
pub struct RunEntries {
    /// Metrics.
    pub metrics: Vec<Metric>,
    /// Params.
    pub params: BTreeMap<String, String>,
    /// Tags. Those that herdbook manages must have the value that they have already.
    pub tags: Tags,
}

/// A model to be registered from a run that another program may have started.
#[derive(Debug, Clone)]
pub struct ForeignFinish {
    /// The model and its run.
    pub registration: Registration,
    /// The last metrics of the run.
    pub metrics: Vec<Metric>,
    /// Tags of the run, in addition to those of its origin.
    pub run_tags: Tags,
    /// Tags of the new version, in addition to those that the registration computes.
    pub version_tags: Tags,
    /// What evidence rests on of the run's test; `None` if nothing is known of its bars.
    pub test: Option<TestBasis>,
}

impl Session {
    /// Adds metrics, params and tags to a running or ended run: all of them, or none.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`]; [`StoreError::RunNotRunning`] if the run was deleted; [`StoreError::CannotLog`] for an
    /// entry that MLflow does not allow, or a param that already has another value; [`StoreError::Refused`] for a tag
    /// that herdbook manages.
    pub fn log_to_run(&self, run_id: &RunId, entries: &RunEntries) -> Result<(), StoreError> {
        self.write(|act| {
            require_active(act.tx, run_id)?;
            check(entries).map_err(|OverLimit { what, problem }| StoreError::CannotLog {
                run_id: run_id.clone(),
                what,
                problem,
            })?;
            metric::log(act.tx, run_id, &entries.metrics)?;
            log_params(act.tx, run_id, &entries.params)?;
            let present = tag::of_run(act.tx, run_id.as_str())?;
            let phase = if version::keys_of_run(act.tx, run_id)?.is_empty() {
                RunPhase::Unregistered
            } else {
                RunPhase::Registered
            };
            let free = guard_run_tags(&entries.tags, &present, phase)?;
            tag::set_on_run(act.tx, run_id, &free)
        })
    }

    /// Ends a RUNNING run as FINISHED. A run that has ended already stays as it is.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`]; [`StoreError::RunNotRunning`] if the run was deleted.
    pub fn end_foreign_run(&self, run_id: &RunId, model: &ModelName) -> Result<(), StoreError> {
        self.write(|act| {
            if require_active(act.tx, run_id)? != RunStatus::Running.as_str() {
                return Ok(());
            }
            let at = act.time_for([model])?;
            run::close(act.tx, run_id, RunStatus::Finished, at)?;
            act.append(at, [ended_event(model, run_id, RunStatus::Finished)])?;
            Ok(())
        })
    }

    /// Registers the model of a run, whichever program started it, and ends the run as FINISHED, in one act.
    ///
    /// Also returns the keys of version tags that were replaced by values that the registration computes.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`]; [`StoreError::RunNotRunning`] if the run was deleted; [`StoreError::RunNotFinished`] if
    /// it failed or was cancelled; [`StoreError::AlreadyRegistered`]; [`StoreError::Refused`] for a tag that herdbook
    /// manages; [`StoreError::TestedMeanwhile`].
    pub fn register_foreign(
        &self,
        finish: &ForeignFinish,
    ) -> Result<(Registered, Vec<String>), StoreError> {
        let request = &finish.registration;
        let require = |conn: &Conn, run_id: &RunId| require_active(conn, run_id).map(drop);
        let reserved = self.reserve(request, require)?;
        let measured = Measured { test: finish.test.clone(), ..Measured::default() };
        let outcome = self.sealing(request, &measured, |act, new| {
            let run_id = &request.run_id;
            let status = require_active(act.tx, run_id)?;
            let is_running = status == RunStatus::Running.as_str();
            if !is_running {
                run::require_finished(act.tx, run_id)?;
            }
            if let Some(key) = version::keys_of_run(act.tx, run_id)?.pop() {
                return Err(StoreError::AlreadyRegistered { run_id: run_id.clone(), key });
            }
            metric::log(act.tx, run_id, &finish.metrics)?;
            tag::set_on_run(act.tx, run_id, &finish.run_tags)?;
            tag::set_on_run(act.tx, run_id, &request.origin.run_tags())?;
            let (registered, at) = register(act, new, reserved)?;
            let planned = tag::of_version(act.tx, &registered.key)?;
            let (free, overruled) = guard_version_tags(&finish.version_tags, &planned)?;
            tag::set_on_version(act.tx, &registered.key, &free)?;
            if is_running {
                run::close(act.tx, run_id, RunStatus::Finished, at)?;
            }
            Ok((registered, overruled))
        });
        self.released(request, reserved, outcome)
    }
}

/// The status of a run; an error if the run was deleted.
pub(crate) fn require_active(conn: &Conn, run_id: &RunId) -> Result<String, StoreError> {
    let (status, lifecycle) = run::status(conn, run_id)?;
    if lifecycle == "active" {
        return Ok(status);
    }
    Err(StoreError::RunNotRunning { run_id: run_id.clone(), status: lifecycle })
}

fn check(entries: &RunEntries) -> Result<(), OverLimit> {
    entries.metrics.iter().try_for_each(|metric| check_metric(&metric.key))?;
    entries.params.iter().try_for_each(|(key, value)| check_param(key, value))?;
    check_tags(&entries.tags)
}

fn log_params(
    conn: &Conn,
    run_id: &RunId,
    given: &BTreeMap<String, String>,
) -> Result<(), StoreError> {
    for (key, value) in given {
        let present: Option<String> = conn.query_first(
            "SELECT value FROM params WHERE run_uuid = ?1 AND key = ?2",
            params![run_id.as_str(), key.as_str()],
            |row| row.get(0),
        )?;
        match present {
            None => {
                conn.execute(
                    "INSERT INTO params (key, value, run_uuid) VALUES (?1, ?2, ?3)",
                    params![key.as_str(), value.as_str(), run_id.as_str()],
                )?;
            }
            Some(present) if present == *value => {}
            Some(present) => {
                return Err(StoreError::CannotLog {
                    run_id: run_id.clone(),
                    what: format!("the param `{key}`"),
                    problem: format!(
                        "it is `{present}` and cannot become `{value}`: params never change; log it under another name"
                    ),
                });
            }
        }
    }
    Ok(())
}
