//! Registration: one transaction ends the run, creates the version, turns its parent `old`, and appends the events.

use std::collections::BTreeMap;

use herdbook_domain::tags::{Tags, key};
use herdbook_domain::{
    Event, EventKind, ModelName, Registration, RegistrationFacts, RegistrationPlan, RunId,
    RunStatus, Sealed, Stage, TestBasis, Timestamp, VersionKey, VersionNumber, VersionType,
    plan_registration,
};

use crate::acts::artifacts::open_existing;
use crate::acts::description::describe;
use crate::acts::files::HashedFiles;
use crate::acts::sealing;
use crate::acts::version_row::{self, VersionRow};
use crate::artifacts::hashing;
use crate::engine::backend::Reservation;
use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::session::{Act, Session};
use crate::tables::event::{self, EventQuery};
use crate::tables::metric::{self, Metric};
use crate::tables::unsealed::{self, Measured, ServedFiles};
use crate::tables::{evaluation, run, tag, version};

/// The end of a training whose model file is stored.
#[derive(Debug, Clone)]
pub struct Finish {
    /// The model and its run.
    pub registration: Registration,
    /// The last metrics of the run.
    pub metrics: Vec<Metric>,
    /// Tags of the run, in addition to those of its start.
    pub run_tags: Tags,
    /// What the program knows of its training.
    pub measured: Measured,
}

/// A registered model.
#[derive(Debug, Clone)]
pub struct Registered {
    /// The new version.
    pub key: VersionKey,
    /// Versions of the parent that turned `old`.
    pub superseded: Vec<VersionKey>,
    /// The events of the registration.
    pub events: Vec<Event>,
}

impl Session {
    /// Ends a run as FINISHED and registers its model, in one act. If an earlier call already did this and only its answer
    /// was lost, returns the result of that call.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`]; [`StoreError::RunNotRunning`] if the run has ended in another way;
    /// [`StoreError::TestedMeanwhile`].
    pub fn finish_and_register(&self, finish: &Finish) -> Result<Registered, StoreError> {
        let request = &finish.registration;
        self.once(request, || {
            let reserved = self.reserve(request, run::require_running)?;
            let outcome = self.sealing(request, &finish.measured, |act, new| {
                run::require_running(act.tx, &request.run_id)?;
                metric::log(act.tx, &request.run_id, &finish.metrics)?;
                tag::set_on_run(act.tx, &request.run_id, &finish.run_tags)?;
                let (registered, at) = register(act, new, reserved)?;
                run::close(act.tx, &request.run_id, RunStatus::Finished, at)?;
                Ok(registered)
            });
            self.released(request, reserved, outcome)
        })
    }

    /// Registers the model of a FINISHED run. If an earlier call already did this, returns the result of that call.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`]; [`StoreError::RunNotFinished`]; [`StoreError::AlreadyRegistered`] if the run has a version
    /// with another model file.
    pub fn register_finished(
        &self,
        request: &Registration,
        measured: &Measured,
    ) -> Result<Registered, StoreError> {
        self.once(request, || {
            let reserved = self.reserve(request, run::require_finished)?;
            let outcome = self.sealing(request, measured, |act, new| {
                run::require_finished(act.tx, &request.run_id)?;
                if let Some(key) = version::keys_of_run(act.tx, &request.run_id)?.pop() {
                    let run_id = request.run_id.clone();
                    return Err(StoreError::AlreadyRegistered { run_id, key });
                }
                Ok(register(act, new, reserved)?.0)
            });
            self.released(request, reserved, outcome)
        })
    }

    /// Hashes the files of the model and of a parent that is not sealed yet, and runs the act that registers the model.
    pub(crate) fn sealing<T>(
        &self,
        request: &Registration,
        measured: &Measured,
        act: impl Fn(&Act<'_>, &NewVersion<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let served = self.hash_model_folder(&request.run_id, request.origin.timeframe)?;
        self.with_hashed_files(HashedFiles::default(), |files| {
            let new =
                NewVersion { request, row: None, existing: None, served: &served, measured, files };
            self.write(|tx| act(tx, &new))
        })
    }

    /// Runs `act`, unless an earlier call registered the model already, or does so while `act` runs.
    fn once(
        &self,
        request: &Registration,
        act: impl FnOnce() -> Result<Registered, StoreError>,
    ) -> Result<Registered, StoreError> {
        if let Some(registered) = self.registered_before(request)? {
            return Ok(registered);
        }
        match act() {
            Err(
                error @ (StoreError::RunNotRunning { .. } | StoreError::AlreadyRegistered { .. }),
            ) => self.registered_before(request)?.ok_or(error),
            outcome => outcome,
        }
    }

    /// Reserves a version number if the backend assigns numbers, after checking run (by `require`) and model file.
    pub(crate) fn reserve(
        &self,
        request: &Registration,
        require: impl Fn(&Conn, &RunId) -> Result<(), StoreError>,
    ) -> Result<Option<VersionNumber>, StoreError> {
        let parent = request.origin.enhanced.as_ref().map(|enhanced| &enhanced.parent);
        if let Some(parent) = parent {
            self.backend().request_run(parent);
        }
        self.backend().reserve_version(&Reservation {
            describe: &|| self.read_run(&request.run_id, |conn| describe(conn, request)),
            name: &request.name,
            run_id: &request.run_id,
            folder: &format!("models/{}", request.origin.timeframe),
            check: &|| {
                self.read(|conn| require(conn, &request.run_id))?;
                self.check_model_file(request)
            },
        })
    }

    /// Fails if the stored model file does not have the hash that is to be registered.
    fn check_model_file(&self, request: &Registration) -> Result<(), StoreError> {
        let artifact = RunId::model_artifact(request.origin.timeframe);
        let artifacts = self.artifacts(&request.run_id)?;
        let mut content = open_existing(&*artifacts, &artifact, None)?;
        let found = hashing::sha256(&mut *content)
            .map_err(|source| artifacts.read_error(&artifact, source))?;
        if found == request.model_sha256 {
            return Ok(());
        }
        Err(StoreError::BrokenRecord {
            what: format!("the file `{artifact}` of run `{}`", request.run_id),
            problem: format!("its SHA-256 at the server is {found}, not {}", request.model_sha256),
        })
    }

    /// Frees a reserved number if the act was refused, but not if the connection broke: then the act may have taken effect.
    pub(crate) fn released<T>(
        &self,
        request: &Registration,
        reserved: Option<VersionNumber>,
        outcome: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let (Some(number), Err(error)) = (reserved, &outcome)
            && !error.is_about_connection()
        {
            self.backend().release_version(&request.name, &request.run_id, number);
        }
        outcome
    }

    /// The result of an earlier call that registered the same file from the same run.
    fn registered_before(&self, request: &Registration) -> Result<Option<Registered>, StoreError> {
        let query = EventQuery {
            name: Some(request.name.clone()),
            run_id: Some(request.run_id.clone()),
            kind: Some(EventKind::Registered),
            ..EventQuery::default()
        };
        let Some(event) = self.events(&query)?.pop() else { return Ok(None) };
        let is_same = serde_json::from_str::<serde_json::Value>(&event.what.details)
            .is_ok_and(|details| details["model_sha256"] == request.model_sha256);
        let Some(version) = event.what.version.filter(|_| is_same) else { return Ok(None) };
        let mut events = self.events(&EventQuery::default())?;
        events.retain(|other| other.act_id == event.act_id);
        let superseded = events
            .iter()
            .filter(|event| event.what.kind == EventKind::Superseded)
            .filter_map(|event| {
                Some(VersionKey { name: event.what.name.clone()?, version: event.what.version? })
            })
            .collect();
        let key = VersionKey { name: request.name.clone(), version };
        Ok(Some(Registered { key, superseded, events }))
    }
}

/// A model to be registered, with what is sealed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewVersion<'a> {
    pub(crate) request: &'a Registration,
    /// The columns of the version's row that a client of MLflow decides; `None` for a model that herdbook stored.
    pub(crate) row: Option<&'a VersionRow>,
    /// The version, if its row exists already.
    pub(crate) existing: Option<VersionNumber>,
    pub(crate) served: &'a ServedFiles,
    pub(crate) measured: &'a Measured,
    /// The files of a parent that is not sealed yet.
    pub(crate) files: &'a HashedFiles,
}

pub(crate) fn register(
    act: &Act<'_>,
    new: &NewVersion<'_>,
    reserved: Option<VersionNumber>,
) -> Result<(Registered, Timestamp), StoreError> {
    let request = new.request;
    let parents = names_of_parent(act.tx, request)?;
    // `time_for` locks the models, so the facts are read after it.
    let at = act.time_for(parents.iter().chain([&request.name]))?;
    check_compared(act.tx, &request.run_id, new.measured.test.as_ref())?;
    let mut facts = facts(act.tx, new, at)?;
    if let Some(number) = reserved {
        facts.last_version = VersionNumber::new(i64::from(number.get()) - 1);
    }
    let plan = plan_registration(request, &facts, at);
    let seals = match &request.origin.enhanced {
        Some(enhanced) => sealing::seal_versions_of(act.tx, &enhanced.parent, new.files, at)?,
        None => Vec::new(),
    };
    carry_out(act, new, &plan, at)?;
    let events = act.append(at, seals.into_iter().chain(plan.events))?;
    Ok((Registered { key: plan.key, superseded: plan.superseded, events }, at))
}

/// Fails if the bars of a run's test were not compared with those of every evaluation of the register. Otherwise the training
/// could be a try on the bars of an evaluation that does not know it.
pub(crate) fn check_compared(
    conn: &Conn,
    run_id: &RunId,
    test: Option<&TestBasis>,
) -> Result<(), StoreError> {
    let Some(test) = test else { return Ok(()) };
    if evaluation::is_newer_than(conn, test.compared_until)? {
        return Err(StoreError::TestedMeanwhile { run_id: run_id.clone() });
    }
    Ok(())
}

/// The registered models of the parent's versions.
pub(crate) fn names_of_parent(
    conn: &Conn,
    request: &Registration,
) -> Result<Vec<ModelName>, StoreError> {
    let Some(enhanced) = &request.origin.enhanced else {
        return Ok(Vec::new());
    };
    let keys = version::keys_of_run(conn, &enhanced.parent)?;
    Ok(keys.into_iter().map(|key| key.name).collect())
}

fn facts(
    conn: &Conn,
    new: &NewVersion<'_>,
    at: Timestamp,
) -> Result<RegistrationFacts, StoreError> {
    let request = new.request;
    let run_id = &request.run_id;
    let parent = request.origin.enhanced.as_ref().map(|enhanced| &enhanced.parent);
    let row = version_row::of(conn, request, new.row)?;
    Ok(RegistrationFacts {
        last_version: last_version(conn, &request.name)?,
        parent_versions: match parent {
            Some(parent) => versions_of_run(conn, parent)?,
            None => Vec::new(),
        },
        sealed: Sealed {
            files: files(new),
            source: Some(row.source),
            storage_location: Some(row.storage_location),
            ..unsealed::at_registration(conn, run_id, new.measured, at)?
        },
    })
}

/// The highest number ever used, also by versions that were deleted since: a number is never used twice.
pub(crate) fn last_version(
    conn: &Conn,
    name: &ModelName,
) -> Result<Option<VersionNumber>, StoreError> {
    let in_table: Option<i64> = conn.query_row(
        "SELECT max(version) FROM model_versions
         WHERE workspace = 'default' AND name = ?1 AND version <= 2147483647",
        params![name.as_str()],
        |row| row.get(0),
    )?;
    let highest = in_table.max(event::highest_version(conn, name)?);
    Ok(highest.and_then(VersionNumber::new))
}

pub(crate) fn versions_of_run(
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

pub(crate) fn carry_out(
    act: &Act<'_>,
    new: &NewVersion<'_>,
    plan: &RegistrationPlan,
    at: Timestamp,
) -> Result<(), StoreError> {
    let request = new.request;
    if new.existing.is_some() {
        version::touch_model(act.tx, &plan.key.name, at)?;
        version::set_mlflow_stage(act.tx, &plan.key, Stage::Development, at)?;
    } else {
        let row = version_row::of(act.tx, request, new.row)?;
        version_row::insert(act, (&plan.key, &request.run_id), &row, at)?;
    }
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

/// The hashes of the served files. The model file's is that of the registration, even if the file was replaced since.
fn files(new: &NewVersion<'_>) -> BTreeMap<String, String> {
    let mut files = new.served.sha256.clone();
    files.insert("model.zip".to_owned(), new.request.model_sha256.clone());
    files
}
