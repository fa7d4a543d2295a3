//! The finish of a training: run FINISHED, version registered, parent `old`, events, in one transaction.

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    Event, ModelName, Registration, RegistrationFacts, RegistrationPlan, RunId, RunStatus, Stage,
    Timestamp, VersionKey, VersionNumber, VersionType, plan_registration,
};

use crate::db::{Conn, params};
use crate::metric::{self, Metric};
use crate::store::Act;
use crate::{Store, StoreError, event, run, tag, version};

/// A training whose model file is stored.
#[derive(Debug, Clone)]
pub struct Finish {
    /// What asks to be registered.
    pub registration: Registration,
    /// The last metrics.
    pub metrics: Vec<Metric>,
    /// Further tags of the run.
    pub run_tags: Tags,
}

/// A model that was registered.
#[derive(Debug, Clone)]
pub struct Registered {
    /// The new version.
    pub key: VersionKey,
    /// Versions of the parent that turned `old`.
    pub superseded: Vec<VersionKey>,
    /// What the log says of it.
    pub events: Vec<Event>,
}

impl Store {
    /// Ends a run as FINISHED and registers its model, or changes nothing.
    ///
    /// # Errors
    /// [`StoreError::RunNotRunning`] where someone else ended the run meanwhile.
    pub fn finish_and_register(&self, finish: &Finish) -> Result<Registered, StoreError> {
        self.write(|act| {
            let request = &finish.registration;
            run::require_running(act.tx, &request.run_id)?;
            metric::log(act.tx, &request.run_id, &finish.metrics)?;
            tag::set_on_run(act.tx, &request.run_id, &finish.run_tags)?;
            let (registered, at) = register(act, request)?;
            run::close(act.tx, &request.run_id, RunStatus::Finished, at)?;
            Ok(registered)
        })
    }

    /// Registers the model of a run that is FINISHED already, or changes nothing.
    ///
    /// # Errors
    /// [`StoreError::RunNotFinished`], and [`StoreError::AlreadyRegistered`] where the run has a version.
    pub fn register_finished(&self, request: &Registration) -> Result<Registered, StoreError> {
        self.write(|act| {
            run::require_finished(act.tx, &request.run_id)?;
            if let Some(key) = version::keys_of_run(act.tx, &request.run_id)?.pop() {
                return Err(StoreError::AlreadyRegistered { run_id: request.run_id.clone(), key });
            }
            Ok(register(act, request)?.0)
        })
    }
}

pub(crate) fn register(
    act: &Act<'_>,
    request: &Registration,
) -> Result<(Registered, Timestamp), StoreError> {
    let parents = names_of_parent(act.tx, request)?;
    // The facts come after the time: from then on nobody else acts on these models.
    let at = act.time_for(parents.iter().chain([&request.name]))?;
    let facts = facts(act.tx, request)?;
    let plan = plan_registration(request, &facts, at);
    carry_out(act, request, &plan, at)?;
    let events = event::append(act, at, plan.events)?;
    Ok((Registered { key: plan.key, superseded: plan.superseded, events }, at))
}

/// The registered models that the parent's versions belong to.
fn names_of_parent(conn: &Conn, request: &Registration) -> Result<Vec<ModelName>, StoreError> {
    let Some(enhanced) = &request.origin.enhanced else {
        return Ok(Vec::new());
    };
    let keys = version::keys_of_run(conn, &enhanced.parent)?;
    Ok(keys.into_iter().map(|key| key.name).collect())
}

fn facts(conn: &Conn, request: &Registration) -> Result<RegistrationFacts, StoreError> {
    let parent = request.origin.enhanced.as_ref().map(|enhanced| &enhanced.parent);
    Ok(RegistrationFacts {
        last_version: last_version(conn, &request.name)?,
        parent_versions: match parent {
            Some(parent) => versions_of_run(conn, parent)?,
            None => Vec::new(),
        },
    })
}

/// The highest number ever given, also to versions that were deleted since: a number is never given twice.
fn last_version(conn: &Conn, name: &ModelName) -> Result<Option<VersionNumber>, StoreError> {
    let in_table: Option<i64> = conn.query_row(
        "SELECT max(version) FROM model_versions WHERE workspace = 'default' AND name = ?1",
        params![name.as_str()],
        |row| row.get(0),
    )?;
    let highest = in_table.max(event::highest_version(conn, name)?);
    Ok(highest.and_then(VersionNumber::new))
}

fn versions_of_run(
    conn: &Conn,
    run_id: &RunId,
) -> Result<Vec<(VersionKey, Option<VersionType>)>, StoreError> {
    let keys = version::keys_of_run(conn, run_id)?;
    keys.into_iter()
        .map(|key| {
            let tags = tag::of_version(conn, &key)?;
            let version_type = tags.get(key::VERSION_TYPE).and_then(|text| text.parse().ok());
            Ok((key, version_type))
        })
        .collect()
}

fn carry_out(
    act: &Act<'_>,
    request: &Registration,
    plan: &RegistrationPlan,
    at: Timestamp,
) -> Result<(), StoreError> {
    insert_version(act, request, plan, at)?;
    tag::set_on_version(act.tx, &plan.key, &plan.version_tags)?;
    tag::set_on_run(act.tx, &request.run_id, &plan.run_tags)?;
    for parent in &plan.superseded {
        tag::change_on_version(act.tx, parent, &plan.parent_tags)?;
        version::touch(act.tx, parent, at)?;
    }
    if let Some(enhanced) = &request.origin.enhanced {
        tag::change_on_run(act.tx, &enhanced.parent, &plan.parent_tags)?;
    }
    Ok(())
}

fn insert_version(
    act: &Act<'_>,
    request: &Registration,
    plan: &RegistrationPlan,
    at: Timestamp,
) -> Result<(), StoreError> {
    let name = plan.key.name.as_str();
    act.tx.execute(
        "INSERT INTO registered_models
            (name, creation_time, last_updated_time, description, workspace)
         VALUES (?1, ?2, ?2, '', 'default')
         ON CONFLICT (workspace, name) DO UPDATE SET last_updated_time = excluded.last_updated_time",
        params![name, at.millis()],
    )?;
    // The folder, not the file: `models:/<name>@champion` is a folder to MLflow.
    let source = format!(
        "{}/models/{}",
        run::artifact_uri(act.tx, &request.run_id)?,
        request.origin.timeframe
    );
    act.tx.execute(
        "INSERT INTO model_versions (name, version, creation_time, last_updated_time, description,
            user_id, current_stage, source, run_id, status, status_message, run_link,
            storage_location, workspace)
         VALUES (?1, ?2, ?3, ?3, '', ?4, ?5, ?6, ?7, 'READY', NULL, '', ?6, 'default')",
        params![
            name,
            plan.key.version.get(),
            at.millis(),
            act.context.actor.as_str(),
            Stage::Development.mlflow_stage(),
            source,
            request.run_id.as_str(),
        ],
    )?;
    Ok(())
}
