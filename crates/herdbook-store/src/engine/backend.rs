//! The interface between the acts and the place where the records are kept.
//!
//! A backend runs an act on a [`Conn`] with MLflow's tables and those of herdbook, and then makes all changes of the act
//! visible, or none. The SQL engines use a transaction. A backend of another crate may run the act on a copy of the
//! records and send the changes to a server.

use std::fmt::Debug;

use herdbook_domain::tags::Tags;
use herdbook_domain::{
    Actor, ExperimentName, ModelName, RunId, RunPrefix, VersionKey, VersionNumber,
};

use crate::artifacts::place::ArtifactPlace;
use crate::dataset_input::DatasetInput;
use crate::engine::db::Conn;
use crate::engine::place::state::Identity;
use crate::error::StoreError;

/// Which records an act or look-up needs. Databases ignore this; a backend that fetches records fetches these.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// All records of this system.
    Everything(View),
    /// The events alone.
    History,
    /// As `History`, but the newest events may be missing. Only for a look-up whose result is checked by the act that follows.
    KnownHistory,
    /// Some of the newest versions with their runs: no version that is left out is newer than one that is shown.
    Newest,
    /// The records that a change of stage of one version depends on.
    StageChange(VersionScope<'a>),
    /// One run with its params, tags, metrics and lease.
    Run(&'a RunId),
    /// One registered model, without its versions and events.
    Model(&'a ModelName),
}

/// A version whose stage is about to change.
#[derive(Debug, Clone, Copy)]
pub struct VersionScope<'a> {
    /// The version.
    pub key: &'a VersionKey,
    /// Which records the decision depends on.
    pub depends_on: DependsOn,
}

/// The records that a change of stage depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DependsOn {
    /// The version alone, unless it is the champion itself.
    Version,
    /// As `Version`, and its run.
    Run,
    /// The version and the champion, with their runs.
    Champion,
}

/// What is shown if tags contradict the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The value required by the history, if the present value is an earlier one of that history.
    Completed,
    /// The present value, as the doctor needs it. Only changes of acts that are still being written are shown as done.
    AsItStands,
}

/// The result of the database engine's own check of its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EngineCheck {
    /// The check ran; the problems it found, in the words of the engine.
    Done(Vec<String>),
    /// The check could not run; the reason.
    Unavailable(String),
}

impl EngineCheck {
    /// Whether the check found a problem.
    pub fn has_problems(&self) -> bool {
        matches!(self, Self::Done(problems) if !problems.is_empty())
    }
}

/// Whether an act's changes are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The changes are kept.
    Commit,
    /// The changes are rolled back: only the result is wanted.
    DryRun,
}

/// An act about to be run.
#[derive(Debug, Clone, Copy)]
pub struct ActRequest<'a> {
    /// The records it needs.
    pub scope: Scope<'a>,
    /// Whether its changes are kept.
    pub effect: Effect,
    /// Who acts.
    pub actor: &'a Actor,
}

/// A run to be created before the act that records its start.
#[derive(Debug, Clone)]
pub struct NewRun<'a> {
    /// The experiment of the run; created if it does not exist.
    pub experiment: &'a ExperimentName,
    /// A unique token, by which a repeated request finds the run.
    pub token: &'a str,
    /// The tags of the run.
    pub tags: Tags,
    /// The bars that it uses.
    pub input: Option<&'a DatasetInput>,
    /// Who starts it.
    pub actor: &'a Actor,
}

/// A version number to be reserved before the act that registers a model.
pub struct Reservation<'a> {
    /// The registered model.
    pub name: &'a ModelName,
    /// The run whose model is registered.
    pub run_id: &'a RunId,
    /// The folder of the model among the run's artifacts.
    pub folder: &'a str,
    /// Composes the description of the version from the records of its run.
    pub describe: &'a dyn Fn() -> Result<String, StoreError>,
    /// Fails if the run cannot be registered, or its stored model file does not have the expected hash. It reads the whole
    /// file. Backends that reserve numbers call it before.
    pub check: &'a dyn Fn() -> Result<(), StoreError>,
}

/// A look-up or act. It may be called several times, each time from the start.
pub type LookUp<'a> = dyn FnMut(&Conn) -> Result<(), StoreError> + 'a;

/// Keeps the records and runs acts on them.
///
/// The methods with a default are for backends that assign run ids or version numbers themselves, or hold only a part of
/// the records.
pub trait Backend: Debug + Send + Sync {
    /// Runs a look-up on one consistent state of the records. It may be run again from the start.
    ///
    /// # Errors
    /// Those of the look-up, and those of reaching the records.
    fn read(&self, scope: Scope<'_>, look_up: &mut LookUp<'_>) -> Result<(), StoreError>;

    /// Runs an act and makes all its changes, or none. It may be run again from the start.
    ///
    /// # Errors
    /// Those of the act, and those of reaching the records. [`StoreError::OutcomeUnknown`] if it is unknown whether the act
    /// took effect.
    fn write(&self, request: ActRequest<'_>, act: &mut LookUp<'_>) -> Result<(), StoreError>;

    /// Resolves a recorded artifact location. `owner` names the run or experiment in an error.
    ///
    /// # Errors
    /// [`StoreError::ForeignArtifacts`] if it cannot be reached from this machine.
    fn artifacts_at(&self, owner: &str, location: &str) -> Result<ArtifactPlace, StoreError> {
        ArtifactPlace::on_this_machine(owner, location)
    }

    /// The identity of the store, and whether it lies where its records say.
    fn identity(&self) -> Identity {
        Identity::default()
    }

    /// A number that changes with every commit of another connection, and with none of this one; `None` if the database has
    /// no such number.
    ///
    /// # Errors
    /// Those of the database.
    fn commits_of_others(&self, _conn: &Conn) -> Result<Option<i64>, StoreError> {
        Ok(None)
    }

    /// Runs the engine's own check of its files. Reads the whole database.
    ///
    /// # Errors
    /// Those of reaching the database. Damage is in the result.
    fn check_engine(&self) -> Result<EngineCheck, StoreError> {
        Ok(EngineCheck::Unavailable("the records are kept by a server".to_owned()))
    }

    /// Whether the database should have herdbook's tables and indexes, so that missing ones are a fault.
    fn has_our_tables(&self) -> bool {
        true
    }

    /// Fails if records of another store cannot be imported here with their ids and times.
    ///
    /// # Errors
    /// [`StoreError::UnsupportedUri`].
    fn require_import(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Whether a scope narrower than [`Scope::Everything`] hides the other records. A look-up that finds nothing in such a
    /// scope has to be repeated with everything.
    fn hides_what_is_out_of_scope(&self) -> bool {
        false
    }

    /// Makes a run available to later look-ups and acts. Returns whether it was not available before.
    fn request_run(&self, _run_id: &RunId) -> bool {
        false
    }

    /// Ids of runs that begin with a prefix, for a backend that does not show all runs to a look-up.
    ///
    /// # Errors
    /// Those of reaching the records.
    fn run_ids(&self, _prefix: &RunPrefix) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    /// Creates a run, if the backend assigns run ids. `None`: the act creates the run, with a random id.
    ///
    /// # Errors
    /// Those of reaching the records.
    fn create_run(&self, _run: &NewRun<'_>) -> Result<Option<RunId>, StoreError> {
        Ok(None)
    }

    /// Reserves a version number, if the backend assigns them. `None`: the act takes the next number.
    ///
    /// # Errors
    /// Those of reaching the records; [`StoreError::BrokenRecord`] if the stored model file does not have the expected hash.
    fn reserve_version(
        &self,
        _reservation: &Reservation<'_>,
    ) -> Result<Option<VersionNumber>, StoreError> {
        Ok(None)
    }

    /// Frees a reserved number after the act was refused.
    fn release_version(&self, _name: &ModelName, _run_id: &RunId, _number: VersionNumber) {}
}
