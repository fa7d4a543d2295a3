//! Contradictions that an import found in its source, and what it did about each.

use serde::Serialize;

use crate::values::closed_set::closed_set;
use crate::values::{ModelName, RunId, VersionKey, VersionNumber};

closed_set! {
    /// A kind of contradiction.
    FindingKind, "kind of finding" {
        /// More than one version of a model is tagged champion.
        TwoChampions = "two_champions",
        /// The source and the target both have a champion of one model.
        ChampionInTarget = "champion_in_target",
        /// The named parent is in neither store, or an enhanced model names no parent.
        ParentMissing = "parent_missing",
        /// The parent was trained on another timeframe.
        ParentTimeframe = "parent_timeframe",
        /// `base_model_path` and `base_model_run_id` name different parents.
        ParentDiffers = "parent_differs",
        /// A version is `old`, but has no registered child.
        OldWithoutChildren = "old_without_children",
        /// A version is `latest`, but has a registered child.
        LatestWithChildren = "latest_with_children",
        /// A version is in a stage, but no change of stage is recorded.
        StageWithoutHistory = "stage_without_history",
        /// A recorded change begins in another stage than the one before it ended in.
        HistoryGap = "history_gap",
        /// The stage tag differs from the end of the recorded changes.
        StageDiffers = "stage_differs",
        /// A recorded change is one that herdbook would have refused.
        ForbiddenChange = "forbidden_change",
        /// A tag of a run differs from that of its version.
        TagsDiffer = "tags_differ",
        /// A tag differs from what herdbook recorded in the source.
        HistoryContradicted = "history_contradicted",
        /// Herdbook's history in the source cannot be read, or was altered.
        BrokenHistory = "broken_history",
        /// A tag says that the model is clean, and no history proves it.
        UnprovenHonesty = "unproven_honesty",
        /// A param, metric or file differs from the seal in the source.
        SealDiffers = "seal_differs",
        /// A tag holds a word or number that is not valid for it.
        UnknownWord = "unknown_word",
        /// One run has several versions.
        DuplicateRegistration = "duplicate_registration",
        /// A version has no model file.
        ModelFileMissing = "model_file_missing",
        /// A run is RUNNING in the source.
        RunLeftRunning = "run_left_running",
        /// Version numbers are missing.
        VersionGap = "version_gap",
        /// A recorded time is in the future.
        FutureTime = "future_time",
        /// A recorded change is earlier than the registration of its version.
        BeforeRegistration = "before_registration",
        /// A model type other than `base`, of a model that names neither a parent nor an enhancement.
        TypeWithoutParent = "type_without_parent",
        /// Something about a run that was registered after its import.
        Registered = "registered_run",
        /// A run with a model file cannot be registered.
        NotRegistered = "not_registered",
        /// The alias `champion` does not point at the champion.
        AliasDiffers = "alias_differs",
        /// A text is longer than MLflow's tables permit.
        TooLong = "too_long",
        /// A record cannot be read, or its name is not valid.
        Unusable = "unusable",
        /// Artifact files cannot be read.
        ArtifactsUnreadable = "artifacts_unreadable",
        /// There are records of a kind that is not imported.
        LeftOut = "left_out",
    }
}

/// One contradiction, and what the import does about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The kind of contradiction.
    pub kind: FindingKind,
    /// The registered model's name in the source.
    pub name: Option<String>,
    /// The version's number in the source.
    pub version: Option<VersionNumber>,
    /// The run id in the source.
    pub run_id: Option<String>,
    /// What was found, as a clause.
    pub message: String,
    /// What is done about it, as a clause.
    pub action: String,
}

impl Finding {
    /// A finding about the source as a whole.
    pub fn new(kind: FindingKind, message: impl Into<String>, action: impl Into<String>) -> Self {
        Self {
            kind,
            name: None,
            version: None,
            run_id: None,
            message: message.into(),
            action: action.into(),
        }
    }

    /// The finding about a registered model.
    #[must_use]
    pub fn of_model(self, name: &ModelName) -> Self {
        Self { name: Some(name.to_string()), ..self }
    }

    /// The finding about a version and its run.
    #[must_use]
    pub fn of_version(self, key: &VersionKey, run_id: Option<&RunId>) -> Self {
        Self {
            name: Some(key.name.to_string()),
            version: Some(key.version),
            run_id: run_id.map(ToString::to_string),
            ..self
        }
    }

    /// The finding about a run, whose id may be invalid.
    #[must_use]
    pub fn of_run(self, run_id: &str) -> Self {
        Self { run_id: Some(run_id.to_owned()), ..self }
    }

    /// The finding in one line: the place, what was found, and what is done.
    pub fn line(&self) -> String {
        let place = match (&self.name, self.version, &self.run_id) {
            (Some(name), Some(version), _) => format!("`{name}` version {version}: "),
            (Some(name), None, _) => format!("`{name}`: "),
            (None, _, Some(run_id)) => format!("run `{run_id}`: "),
            (None, _, None) => String::new(),
        };
        format!("{place}{}; {}", self.message, self.action)
    }
}
