//! The input of the doctor.

use std::collections::{BTreeMap, BTreeSet};

use super::breach::Subject;
use crate::history::Event;
use crate::tags::Tags;
use crate::values::{ModelName, RunId, Timestamp, VersionKey};

/// The records of a store, as of one moment.
#[derive(Debug, Clone)]
pub struct Records {
    /// The moment.
    pub now: Timestamp,
    /// The whole log, oldest event first, or why it cannot be read.
    pub events: Result<Vec<Event>, String>,
    /// Every version, deleted ones included.
    pub versions: Vec<VersionOnRecord>,
    /// The version number that the alias `champion` of each model points at, as stored.
    pub aliases: BTreeMap<ModelName, i64>,
    /// Runs that are RUNNING or have a lease.
    pub runs: Vec<RunOnRecord>,
    /// Runs and versions that name a parent which does not exist.
    pub orphans: Vec<Orphan>,
    /// Our tables and indexes that were missing or altered when the store was opened, by name.
    pub schema: Vec<(String, SchemaState)>,
    /// The registered models that have a row.
    pub models: BTreeSet<ModelName>,
    /// The rows of the runs that herdbook started and of those that a version was registered from.
    pub run_rows: BTreeMap<RunId, RunRow>,
    /// The program that wrote the rows.
    pub storage: Storage,
}

/// The program that writes MLflow's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// herdbook writes every column itself, so that all columns can be compared with the history and repaired.
    Database,
    /// An MLflow server writes the rows. It sets times and users itself, and its interface cannot change them.
    Server,
}

/// One version as the store holds it.
#[derive(Debug, Clone)]
pub struct VersionOnRecord {
    /// The version.
    pub key: VersionKey,
    /// Its run; `None` where MLflow removed the reference, as it does when a version is deleted.
    pub run_id: Option<RunId>,
    /// Whether it was deleted through MLflow.
    pub deleted: bool,
    /// MLflow's own stage (`model_versions.current_stage`).
    pub mlflow_stage: String,
    /// The columns that the history knows.
    pub row: VersionRow,
    /// Its tags.
    pub tags: Tags,
    /// The tags of its run that the rules know; `None` where the run has no row.
    pub run_tags: Option<Tags>,
}

/// Columns of the row of a version, as stored. A value of the wrong kind counts as missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionRow {
    /// `run_id`
    pub run_id: Option<String>,
    /// `source`: the URI of its files.
    pub source: Option<String>,
    /// `storage_location`: the URI from which MLflow loads its files.
    pub storage_location: Option<String>,
    /// `creation_time`, in milliseconds.
    pub created_at_ms: Option<i64>,
    /// `user_id`
    pub user: Option<String>,
}

/// Columns of the row of a run, as stored. A value of the wrong kind counts as missing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunRow {
    /// `status`
    pub status: Option<String>,
    /// `start_time`, in milliseconds.
    pub started_at_ms: Option<i64>,
    /// `end_time`, in milliseconds.
    pub ended_at_ms: Option<i64>,
    /// `user_id`
    pub user: Option<String>,
    /// `artifact_uri`: the URI of its files.
    pub artifact_uri: Option<String>,
    /// Its params; read for runs with a version.
    pub params: BTreeMap<String, String>,
    /// The last value of each of its metrics; read for runs with a version.
    pub metrics: BTreeMap<String, LoggedMetric>,
    /// Metrics whose sealed value is no longer among the logged ones, although the last value may be right.
    pub overwritten: BTreeSet<String>,
}

/// The last value of a metric as it was logged; it may be NaN or infinite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoggedMetric {
    /// The value.
    pub value: f64,
    /// Number of training steps before it.
    pub step: i64,
}

/// A run that is RUNNING or has a lease.
#[derive(Debug, Clone)]
pub struct RunOnRecord {
    /// The run id as stored, which may be invalid.
    pub run_id: String,
    /// Whether the status is RUNNING; `false` for a lease without a run.
    pub is_running: bool,
    /// The state of the process that trains the run.
    pub process: Process,
}

/// The state of the process that trains a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// The run has no lease.
    Unknown,
    /// The process is alive.
    Alive,
    /// The process has ended, or its lease has expired.
    Dead,
    /// The lease was renewed in the future of the clock.
    OfTheFuture,
}

/// A run or version whose `base_model_run_id` names no run.
#[derive(Debug, Clone)]
pub struct Orphan {
    /// The run or version.
    pub subject: Subject,
    /// The tag `base_model_run_id` as written.
    pub parent: String,
}

/// What happened to a table or index of ours that was missing or altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaState {
    /// Opening the store created the index again.
    PutBack,
    /// Opening the store created the table again, without its rows.
    PutBackEmpty,
    /// The index was not created, because two champions of one model violated it when the store was opened.
    LeftOut,
    /// The object is still missing, because the store is read-only.
    Missing,
    /// The rows of a table that repeats facts from the log differ from the log.
    DisagreesWithLog,
}
