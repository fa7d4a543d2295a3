//! A breach of the rules, and the exact changes that mend it.

use serde_json::json;

use crate::closed_set::closed_set;
use crate::tags::TagChanges;
use crate::{
    AliasChange, EventDraft, EventKind, ModelName, RunId, Stage, Timestamp, VersionKey,
    VersionNumber,
};

closed_set! {
    /// Which rule is broken.
    BreachKind, "kind of breach" {
        /// An event is missing, altered or out of place.
        EventChain = "event_chain",
        /// More than one version of a model is tagged champion.
        TwoChampions = "two_champions",
        /// A version that was deleted through MLflow holds the champion's place.
        DeletedChampion = "deleted_champion",
        /// The stage tag is not the end of the history.
        Stage = "stage",
        /// `version_type` disagrees with the registered children.
        VersionType = "version_type",
        /// A tag that registration wrote is not what the history says.
        VersionTags = "version_tags",
        /// MLflow's own stage does not follow the tag.
        MlflowStage = "mlflow_stage",
        /// Tags of the run are not those of its version.
        RunTags = "run_tags",
        /// The alias `champion` does not point at the champion.
        Alias = "alias",
        /// `base_model_run_id` names no run.
        OrphanParent = "orphan_parent",
        /// A run is RUNNING without a process.
        DeadRun = "dead_run",
        /// A lease belongs to no run that is RUNNING.
        StrayLease = "stray_lease",
        /// A model file is missing, or not what was registered.
        ModelFile = "model_file",
        /// A table or index of ours is missing or altered.
        Schema = "schema",
        /// The facts that a table of ours repeats from the history are not those of the history.
        Registrations = "registrations",
    }
}

impl BreachKind {
    /// Whether its repair sets something to what the history says.
    const fn follows_the_history(self) -> bool {
        !matches!(self, Self::DeadRun | Self::StrayLease | Self::ModelFile | Self::Schema)
    }
}

/// Where a breach is.
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Which rule is broken.
    pub kind: BreachKind,
    /// Where.
    pub subject: Subject,
    /// What is wrong, in words.
    pub message: String,
    /// The way out.
    pub remedy: Remedy,
}

/// The way out of a breach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// It was mended; how, in words.
    Done(String),
    /// It can be mended safely.
    Possible(Repair),
    /// It is left alone; why, or what a person can do, in words.
    None(String),
}

/// The exact changes that mend a breach. Carried out whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// What is so afterwards, in words.
    pub outcome: String,
    /// When it happens, never before the model's last event; `None` where no model is touched.
    pub at: Option<Timestamp>,
    /// The changes.
    pub fixes: Vec<Fix>,
    /// What the log says of it, in order.
    pub events: Vec<EventDraft>,
}

/// One change of a repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// Changes the tags of a version.
    TagVersion(VersionKey, TagChanges),
    /// Changes the tags of a run.
    TagRun(RunId, TagChanges),
    /// Sets MLflow's own stage to that of a stage.
    MlflowStage(VersionKey, Stage),
    /// Moves or removes the alias `champion`.
    Alias(ModelName, AliasChange),
    /// Ends a run as FAILED, its lease with it.
    FailRun(RunId),
    /// Removes the lease of a run; its identity as written.
    RemoveLease(String),
    /// Makes the tables and indexes of ours that are missing.
    CompleteSchema,
    /// Fills the table of registrations again from the history.
    RefillRegistrations,
}

impl Breach {
    /// The model file of a version is not what was registered; `problem` says why.
    pub fn of_model_file(key: &VersionKey, run_id: Option<&RunId>, problem: &str) -> Self {
        Self {
            kind: BreachKind::ModelFile,
            subject: Subject::of_version(key, run_id),
            message: format!("the model file of {key} {problem}"),
            remedy: Remedy::None(
                "restore it from a backup; the history has the hash that was registered".to_owned(),
            ),
        }
    }

    /// Whether it still stands.
    pub const fn is_open(&self) -> bool {
        !matches!(self.remedy, Remedy::Done(_))
    }

    /// The message with the way out, in one line.
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

    /// Adds to the repair the event that tells of it: what was found, from which word to which.
    pub(super) fn with_event(mut self, from: Option<&str>, to: Option<&str>) -> Self {
        let details = json!({"v": 1, "breach": self.kind});
        if let Remedy::Possible(repair) = &mut self.remedy {
            repair.events.push(EventDraft {
                name: self.subject.name.clone(),
                version: self.subject.version,
                run_id: self.subject.run_id.clone(),
                from: from.map(shown),
                to: to.map(shown),
                reason: Some(self.message.clone()),
                ..EventDraft::new(EventKind::Repaired, &details)
            });
        }
        self
    }

    /// A broken history is nothing to set anything back to.
    pub(super) fn withhold_what_follows_the_history(&mut self) {
        if self.kind.follows_the_history() && matches!(self.remedy, Remedy::Possible(_)) {
            self.remedy = Remedy::None("left alone, for the history is broken".to_owned());
        }
    }
}

/// A text that others wrote, short and printable, as it may stand in a line and in the log.
pub(super) fn shown(text: &str) -> String {
    const MAX_CHARS: usize = 32;
    let printable = |c: char| if c.is_control() { '?' } else { c };
    if text.chars().count() <= MAX_CHARS {
        return text.chars().map(printable).collect();
    }
    let start: String = text.chars().map(printable).take(MAX_CHARS - 1).collect();
    format!("{start}…")
}
