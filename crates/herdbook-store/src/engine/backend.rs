//! The seam between the acts and whatever keeps the records.
//!
//! A backend runs an act on a [`Conn`] that shows MLflow's tables and ours, and makes all of the act's changes
//! visible at once or none. The SQL engines do it in a transaction; a backend of another crate may keep a copy of the
//! records and carry the changes to where they belong.

use std::fmt::Debug;

use herdbook_domain::tags::Tags;
use herdbook_domain::{Actor, ExperimentName, ModelName, RunId, VersionKey, VersionNumber};

use crate::artifacts::place::ArtifactPlace;
use crate::engine::db::Conn;
use crate::error::StoreError;

/// How much of the records an act or look-up needs.
///
/// A database has everything at hand and ignores this; a backend that fetches records fetches these.
#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    /// All records of this system.
    Everything(View),
    /// The events alone.
    History,
    /// Some of the newest versions with their runs: no version that is left out is newer than one that is shown.
    Newest,
    /// The records that a change of stage of one version depends on.
    StageChange(VersionScope<'a>),
    /// One run with its params, tags, metrics and lease.
    Run(&'a RunId),
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
    /// The version and the champion, with their runs.
    Champion,
}

/// What is shown where MLflow's tags disagree with the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The value that the history requires, wherever the present value is an older one of that history.
    Completed,
    /// The present value, as the doctor needs it. Only acts that are still being carried out are completed.
    AsItStands,
}

/// Whether an act's changes stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// They stay.
    Commit,
    /// They are taken back: only the answer was wanted.
    DryRun,
}

/// An act about to be run.
#[derive(Debug, Clone, Copy)]
pub struct ActRequest<'a> {
    /// Which records it needs.
    pub scope: Scope<'a>,
    /// Whether its changes stay.
    pub effect: Effect,
    /// Who acts.
    pub actor: &'a Actor,
}

/// A run to be created before the act that records its start.
#[derive(Debug, Clone)]
pub struct NewRun<'a> {
    /// The experiment it belongs to; created where there is none.
    pub experiment: &'a ExperimentName,
    /// A token that nothing else has: a repeated request finds the run by it.
    pub token: &'a str,
    /// Its tags.
    pub tags: Tags,
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
    /// Fails where the stored model file is not the one that is to be registered. Takes long, so it is for the backend to
    /// call before it reserves a number.
    pub check_model_file: &'a dyn Fn() -> Result<(), StoreError>,
}

/// A look-up on one consistent view of the records.
pub type LookUp<'a> = dyn FnMut(&Conn) -> Result<(), StoreError> + 'a;

/// Keeps the records and runs acts on them.
///
/// The methods with a default are for backends that assign run ids or version numbers themselves, or keep only a part
/// of the records at hand.
pub trait Backend: Debug + Send + Sync {
    /// Runs a look-up on one consistent view of the records. It may be run again from the start.
    ///
    /// # Errors
    /// Those of the look-up, and those of reaching the records.
    fn read(&self, scope: Scope<'_>, look_up: &mut LookUp<'_>) -> Result<(), StoreError>;

    /// Runs an act: all its changes are made, or none. It may be run again from the start.
    ///
    /// # Errors
    /// Those of the act, and those of reaching the records. [`StoreError::OutcomeUnknown`] where nobody can tell whether
    /// the act happened.
    fn write(&self, request: ActRequest<'_>, act: &mut LookUp<'_>) -> Result<(), StoreError>;

    /// What an artifact location in the records means on this machine. `owner` names the run or experiment in an error.
    ///
    /// # Errors
    /// [`StoreError::ForeignArtifacts`] where it cannot be reached from here.
    fn artifacts_at(&self, owner: &str, location: &str) -> Result<ArtifactPlace, StoreError> {
        ArtifactPlace::on_this_machine(owner, location)
    }

    /// A number that changes with every commit of another connection and with none of this one, where there is such a
    /// number.
    ///
    /// # Errors
    /// Those of the database.
    fn commits_of_others(&self, _conn: &Conn) -> Result<Option<i64>, StoreError> {
        Ok(None)
    }

    /// Whether tables and indexes of ours belong into this database, so that missing ones are a fault.
    fn has_our_tables(&self) -> bool {
        true
    }

    /// Fails where whole records of another store cannot be written here with their ids and times.
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

    /// Makes a run available to later look-ups and acts; `false` where it was already, as in a database.
    fn request_run(&self, _run_id: &RunId) -> bool {
        false
    }

    /// Creates a run where the backend assigns run ids. `None`: the act creates the run under an id of its own.
    ///
    /// # Errors
    /// Those of reaching the records.
    fn create_run(&self, _run: &NewRun<'_>) -> Result<Option<RunId>, StoreError> {
        Ok(None)
    }

    /// Reserves a version number where the backend assigns them. `None`: the act takes the next number itself.
    ///
    /// # Errors
    /// Those of reaching the records; [`StoreError::BrokenRecord`] where the stored model file is not the expected one.
    fn reserve_version(
        &self,
        _reservation: &Reservation<'_>,
    ) -> Result<Option<VersionNumber>, StoreError> {
        Ok(None)
    }

    /// Gives a reserved number back after the act was refused.
    fn release_version(&self, _name: &ModelName, _run_id: &RunId, _number: VersionNumber) {}
}
