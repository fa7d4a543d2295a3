//! A breach of the rules, and the exact changes that repair it.

use serde_json::json;

use super::bad_row::BadRow;
use crate::evidence::SealedMetric;
use crate::history::{EventDraft, EventKind};
use crate::rules::AliasChange;
use crate::tags::TagChanges;
use crate::values::closed_set::closed_set;
use crate::values::{ModelName, RunId, RunStatus, Stage, Timestamp, VersionKey, VersionNumber};

closed_set! {
    /// The rule that is broken.
    BreachKind, "kind of breach" {
        /// The database engine found its files damaged.
        Database = "database",
        /// A row has a value that its column does not allow.
        UnreadableRow = "unreadable_row",
        /// An event is missing, altered or out of place.
        EventChain = "event_chain",
        /// More than one version of a model is tagged champion.
        TwoChampions = "two_champions",
        /// A version that was deleted through MLflow is still tagged champion.
        DeletedChampion = "deleted_champion",
        /// The stage tag differs from the end of the history.
        Stage = "stage",
        /// `version_type` disagrees with the registered children.
        VersionType = "version_type",
        /// A tag that registration wrote differs from the history.
        VersionTags = "version_tags",
        /// A tag that a change of stage wrote differs from the history.
        HistoryTags = "history_tags",
        /// A column of a version's row differs from the history.
        VersionRow = "version_row",
        /// A version has tags of herdbook and no history.
        NoHistory = "no_history",
        /// The history has a version that has no row.
        MissingVersion = "missing_version",
        /// The history has a run that has no row.
        MissingRun = "missing_run",
        /// A column of a run's row differs from the history.
        RunRow = "run_row",
        /// Params of a run differ from the seal of its version.
        Params = "params",
        /// Metrics of a run differ from the seal of its version.
        Metrics = "metrics",
        /// MLflow's own stage differs from the stage tag.
        MlflowStage = "mlflow_stage",
        /// Tags of a run differ from those of its version.
        RunTags = "run_tags",
        /// The alias `champion` does not point at the champion.
        Alias = "alias",
        /// `base_model_run_id` names no run.
        OrphanParent = "orphan_parent",
        /// A run is RUNNING, but its process has ended.
        DeadRun = "dead_run",
        /// A lease belongs to a run that is not RUNNING.
        StrayLease = "stray_lease",
        /// A model file is missing, or not what was registered.
        ModelFile = "model_file",
        /// A file that evidence rests on is missing, or not what was recorded.
        EvidenceFile = "evidence_file",
        /// A version cannot be used: its run, its experiment or the version itself was deleted, or never existed.
        Unusable = "unusable",
        /// The newest event of a model lies in the future of the clock.
        FutureEvents = "future_events",
        /// A table or index of ours is missing or altered.
        Schema = "schema",
        /// The facts that a table of ours repeats from the history are not those of the history.
        Registrations = "registrations",
        /// The store lies elsewhere than its records say.
        Place = "place",
        /// The history is not the one last seen on this machine.
        RememberedHistory = "remembered_history",
    }
}

impl BreachKind {
    /// Whether the repair of such a breach takes its values from the history.
    const fn is_repaired_from_history(self) -> bool {
        !matches!(
            self,
            Self::DeadRun
                | Self::StrayLease
                | Self::ModelFile
                | Self::EvidenceFile
                | Self::Unusable
                | Self::FutureEvents
                | Self::Schema
        )
    }
}

/// The model, version or run that a breach concerns; empty for the store as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// The registered model.
    pub name: Option<ModelName>,
    /// The version.
    pub version: Option<VersionNumber>,
    /// The run.
    pub run_id: Option<RunId>,
}

impl Subject {
    /// A version and its run.
    pub fn of_version(key: &VersionKey, run_id: Option<&RunId>) -> Self {
        Self { name: Some(key.name.clone()), version: Some(key.version), run_id: run_id.cloned() }
    }
}

/// One breach of the rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Breach {
    /// The rule that is broken.
    pub kind: BreachKind,
    /// The model, version or run concerned.
    pub subject: Subject,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// The repair, or what to do instead.
    pub remedy: Remedy,
}

/// The repair of a breach, or what to do instead.
#[derive(Debug, Clone, PartialEq)]
pub enum Remedy {
    /// The breach was repaired; holds the outcome, in words.
    Done(String),
    /// A safe repair exists.
    Possible(Repair),
    /// There is no safe repair; holds the reason, or what a person can do, in words.
    None(String),
}

/// The exact changes that repair a breach. The store carries out all of them in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct Repair {
    /// The state after the repair, in words.
    pub outcome: String,
    /// The moment of the repair, at or after the model's last event; `None` where no model is concerned.
    pub at: Option<Timestamp>,
    /// The changes.
    pub fixes: Vec<Fix>,
    /// Events for the log, in order.
    pub events: Vec<EventDraft>,
}

/// One change of a repair.
#[derive(Debug, Clone, PartialEq)]
pub enum Fix {
    /// Changes the tags of a version.
    TagVersion(VersionKey, TagChanges),
    /// Changes the tags of a run.
    TagRun(RunId, TagChanges),
    /// Sets MLflow's own stage of a version to [`Stage::mlflow_stage`].
    MlflowStage(VersionKey, Stage),
    /// Moves or removes the alias `champion`.
    Alias(ModelName, AliasChange),
    /// Sets a column of a version's row.
    VersionColumn(VersionKey, VersionColumn),
    /// Gives a version its registered number back; its tags follow. Holds the present key and the registered number.
    Renumber(VersionKey, VersionNumber),
    /// Sets a column of a run's row.
    RunColumn(RunId, RunColumn),
    /// Sets a param of a run; `None` removes it.
    Param(RunId, String, Option<String>),
    /// Makes a value the last one of a run's metric, in the table of last values and among all values.
    Metric(RunId, String, SealedMetric),
    /// Ends a run as FAILED and removes its lease.
    FailRun(RunId),
    /// Removes the lease of a run; holds the run id as stored.
    RemoveLease(String),
    /// Creates our missing tables and indexes.
    CompleteSchema,
    /// Fills the tables that repeat facts from the history again.
    RefillRegistrations,
}

/// A column of a version's row, with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionColumn {
    /// `run_id`
    RunId(RunId),
    /// `source`
    Source(String),
    /// `storage_location`
    StorageLocation(String),
    /// `creation_time`
    CreatedAt(Timestamp),
    /// `user_id`
    User(String),
}

/// A column of a run's row, with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunColumn {
    /// `status`
    Status(RunStatus),
    /// `start_time`
    StartedAt(Timestamp),
    /// `end_time`
    EndedAt(Timestamp),
    /// `artifact_uri`
    ArtifactUri(String),
    /// `user_id`
    User(String),
}

impl Breach {
    /// The breach for damage that the engine found in its own files; `problem` is the engine's message.
    pub fn of_database(problem: &str) -> Self {
        Self {
            kind: BreachKind::Database,
            subject: Subject::default(),
            message: format!("the database is damaged: {}", problem.replace('\n', " ")),
            remedy: Remedy::None(
                "stop all programs that write to it, and restore it from a backup".to_owned(),
            ),
        }
    }

    /// The breach for a row with a value of the wrong kind.
    pub fn of_bad_row(bad: &BadRow) -> Self {
        let BadRow { table, row, column, found, expected } = bad;
        Self {
            kind: BreachKind::UnreadableRow,
            subject: Subject::default(),
            message: format!(
                "the row {row} of `{table}` has `{found}` in the column `{column}`, which is not {expected}"
            ),
            remedy: Remedy::None(
                "correct the value with SQL, or restore the row from a backup".to_owned(),
            ),
        }
    }

    /// The breach for a model file that is missing or altered; `problem` is a clause that says which.
    pub fn of_model_file(key: &VersionKey, run_id: Option<&RunId>, problem: &str) -> Self {
        Self {
            kind: BreachKind::ModelFile,
            subject: Subject::of_version(key, run_id),
            message: format!("the model file of {key} {problem}"),
            remedy: Remedy::None(
                "restore it from a backup; the history has the hash that was registered. If files were moved, \
                 `herdbook relocate --to FOLDER` updates their locations"
                    .to_owned(),
            ),
        }
    }

    /// The breach for a file that evidence rests on and that is missing or altered; `problem` is a clause that says which.
    pub fn of_evidence_file(subject: Subject, path: &str, problem: &str) -> Self {
        let of = subject.run_id.as_ref().map(|run_id| format!(" of run `{run_id}`"));
        Self {
            kind: BreachKind::EvidenceFile,
            message: format!("the file `{}`{} {problem}", excerpt(path), of.unwrap_or_default()),
            subject,
            remedy: Remedy::None(
                "restore it from a backup; `herdbook evaluate` on the same bars stores the files of an evaluation again"
                    .to_owned(),
            ),
        }
    }

    /// A breach of the store as a whole that no repair of the doctor mends: what is wrong, and what to do.
    pub fn of_store(kind: BreachKind, message: &str, way_out: &str) -> Self {
        Self {
            kind,
            subject: Subject::default(),
            message: message.to_owned(),
            remedy: Remedy::None(way_out.to_owned()),
        }
    }

    /// The breach for another file that MLflow serves with the model; `problem` is a clause that says what is wrong.
    pub fn of_served_file(
        key: &VersionKey,
        run_id: Option<&RunId>,
        path: &str,
        problem: &str,
    ) -> Self {
        let message = format!("the file `{}` of {key} {problem}", excerpt(path));
        Self { message, ..Self::of_model_file(key, run_id, problem) }
    }

    /// Whether the breach was not repaired.
    pub const fn is_open(&self) -> bool {
        !matches!(self.remedy, Remedy::Done(_))
    }

    /// Whether the breach concerns a version.
    pub fn is_of(&self, key: &VersionKey) -> bool {
        self.subject.name.as_ref() == Some(&key.name) && self.subject.version == Some(key.version)
    }

    /// The message and the remedy in one line.
    pub fn line(&self) -> String {
        let Self { message, .. } = self;
        match &self.remedy {
            Remedy::Done(outcome) => format!("{message}; repaired: {outcome}"),
            Remedy::Possible(repair) => {
                format!("{message}; `herdbook doctor --repair`: {}", repair.outcome)
            }
            Remedy::None(way_out) => format!("{message}; {way_out}"),
        }
    }

    /// The breach after its repair was carried out.
    #[must_use]
    pub fn repaired(self) -> Self {
        let remedy = match self.remedy {
            Remedy::Possible(repair) => Remedy::Done(repair.outcome),
            remedy => remedy,
        };
        Self { remedy, ..self }
    }

    /// Adds to the repair the event that records it. `from` and `to` are the value found and the value set.
    pub(super) fn with_event(mut self, from: Option<&str>, to: Option<&str>) -> Self {
        let details = json!({"v": 1, "breach": self.kind});
        if let Remedy::Possible(repair) = &mut self.remedy {
            repair.events.push(EventDraft {
                name: self.subject.name.clone(),
                version: self.subject.version,
                run_id: self.subject.run_id.clone(),
                from: from.map(excerpt),
                to: to.map(excerpt),
                reason: Some(self.message.clone()),
                ..EventDraft::new(EventKind::Repaired, &details)
            });
        }
        self
    }

    /// Withdraws a repair, because the database is damaged.
    pub fn withhold_repair_of_damaged(&mut self) {
        if matches!(self.remedy, Remedy::Possible(_)) {
            self.remedy = Remedy::None("not repaired, because the database is damaged".to_owned());
        }
    }

    /// Withdraws a repair that would take its values from the history, because the history is broken.
    pub(super) fn withhold_repair_from_history(&mut self) {
        if self.kind.is_repaired_from_history() && matches!(self.remedy, Remedy::Possible(_)) {
            self.remedy = Remedy::None("not repaired, because the history is broken".to_owned());
        }
    }
}

/// A stored text for messages and the log: at most 32 characters, control characters replaced by `?`.
pub(super) fn excerpt(text: &str) -> String {
    const MAX_CHARS: usize = 32;
    let printable = |c: char| if c.is_control() { '?' } else { c };
    if text.chars().count() <= MAX_CHARS {
        return text.chars().map(printable).collect();
    }
    let start: String = text.chars().map(printable).take(MAX_CHARS - 1).collect();
    format!("{start}…")
}
