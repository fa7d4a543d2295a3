//! Runs that are not trained here: what scripts and MLflow itself log to them, and how their models are registered.
//!
//! A run that MLflow started has neither lease nor event until its model is registered.

use std::collections::BTreeMap;

use herdbook_domain::tags::Tags;
use herdbook_domain::{
    MetricName, ModelName, Registration, RunId, RunPhase, RunStatus, guard_run_tags,
    guard_version_tags,
};

use crate::acts::registration::{Registered, register};
use crate::acts::run::ended_event;
use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::session::Session;
use crate::tables::metric::{self, Metric};
use crate::tables::{run, tag, version};

/// Longest value of a param that MLflow takes, in characters.
const MAX_PARAM_LENGTH: usize = 6_000;
/// Longest value of a tag that MLflow takes, in characters.
const MAX_TAG_LENGTH: usize = 8_000;
/// Longest key of a param or tag: `VARCHAR(250)`.
const MAX_KEY_LENGTH: usize = 250;

/// What is logged to a run together.
#[derive(Debug, Clone, Default)]
pub struct RunEntries {
    /// Numbers.
    pub metrics: Vec<Metric>,
    /// Fixed inputs.
    pub params: BTreeMap<String, String>,
    /// Tags; those that the rulebook keeps may only say what is.
    pub tags: Tags,
}

/// The model of a run asks to be registered.
#[derive(Debug, Clone)]
pub struct ForeignFinish {
    /// What asks to be registered.
    pub registration: Registration,
    /// The last metrics.
    pub metrics: Vec<Metric>,
    /// Further tags of the run, beside those that say where its model came from.
    pub run_tags: Tags,
    /// Further tags of the new version.
    pub version_tags: Tags,
}

impl Session {
    /// Adds metrics, params and tags to a run that was not deleted, running or ended, or nothing of it.
    ///
    /// # Errors
    /// [`StoreError::CannotLog`], also for a param that has another value already; [`StoreError::Refused`] for a tag
    /// that the rulebook keeps.
    pub fn log_to_run(&self, run_id: &RunId, entries: &RunEntries) -> Result<(), StoreError> {
        self.write(|act| {
            require_active(act.tx, run_id)?;
            for metric in &entries.metrics {
                check_metric(run_id, &metric.key)?;
            }
            metric::log(act.tx, run_id, &entries.metrics)?;
            log_params(act.tx, run_id, &entries.params)?;
            for (key, value) in &entries.tags {
                check_length(run_id, &format!("the tag `{key}`"), key, value, MAX_TAG_LENGTH)?;
            }
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

    /// Gives a run another display name.
    pub fn rename_run(&self, run_id: &RunId, name: &str) -> Result<(), StoreError> {
        self.write(|act| {
            require_active(act.tx, run_id)?;
            check_length(run_id, "its name", "name", name, MAX_KEY_LENGTH)?;
            act.tx.execute(
                "UPDATE runs SET name = ?1 WHERE run_uuid = ?2",
                params![name, run_id.as_str()],
            )?;
            let tags = Tags::from([("mlflow.runName".to_owned(), name.to_owned())]);
            tag::set_on_run(act.tx, run_id, &tags)
        })
    }

    /// Ends a run as FINISHED where it is still RUNNING; one that is ended already stays as it is.
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

    /// Registers the model of a run, whoever started it, and ends the run as FINISHED; or changes nothing. Answers
    /// the keys of tags that gave way to what the registration computes, too.
    ///
    /// # Errors
    /// [`StoreError::RunNotFinished`] where the run failed or was cancelled; [`StoreError::AlreadyRegistered`];
    /// [`StoreError::Refused`] for tags that the rulebook keeps.
    pub fn register_foreign(
        &self,
        finish: &ForeignFinish,
    ) -> Result<(Registered, Vec<String>), StoreError> {
        let request = &finish.registration;
        let require = |conn: &Conn, run_id: &RunId| require_active(conn, run_id).map(drop);
        let reserved = self.reserve(request, require)?;
        let outcome = self.write(|act| {
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
            let (registered, at) = register(act, request, reserved)?;
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

/// The status of a run that was not deleted.
fn require_active(conn: &Conn, run_id: &RunId) -> Result<String, StoreError> {
    let (status, lifecycle) = run::status(conn, run_id)?;
    if lifecycle == "active" {
        return Ok(status);
    }
    Err(StoreError::RunNotRunning { run_id: run_id.clone(), status: lifecycle })
}

fn log_params(
    conn: &Conn,
    run_id: &RunId,
    given: &BTreeMap<String, String>,
) -> Result<(), StoreError> {
    for (key, value) in given {
        let what = format!("the param `{key}`");
        check_length(run_id, &what, key, value, MAX_PARAM_LENGTH)?;
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
                let problem = format!(
                    "it is `{present}` and cannot become `{value}`: params never change; log it under another name"
                );
                return Err(cannot_log(run_id, what, problem));
            }
        }
    }
    Ok(())
}

fn check_metric(run_id: &RunId, key: &str) -> Result<(), StoreError> {
    match MetricName::parse(key) {
        Ok(_) => Ok(()),
        Err(error) => Err(cannot_log(run_id, format!("the metric `{key}`"), error.to_string())),
    }
}

fn check_length(
    run_id: &RunId,
    what: &str,
    key: &str,
    value: &str,
    max: usize,
) -> Result<(), StoreError> {
    let (of_key, of_value) = (key.chars().count(), value.chars().count());
    let problem = if of_key == 0 {
        "its key is empty".to_owned()
    } else if of_key > MAX_KEY_LENGTH {
        format!("its key has {of_key} characters: at most {MAX_KEY_LENGTH} are allowed")
    } else if of_value > max {
        format!("its value has {of_value} characters: at most {max} are allowed")
    } else {
        return Ok(());
    };
    Err(cannot_log(run_id, what.to_owned(), problem))
}

fn cannot_log(run_id: &RunId, what: String, problem: String) -> StoreError {
    StoreError::CannotLog { run_id: run_id.clone(), what, problem }
}
