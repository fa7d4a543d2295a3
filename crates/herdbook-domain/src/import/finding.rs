//! What an import found contradictory, and what it did about it.

use serde::Serialize;

use crate::closed_set::closed_set;
use crate::{ModelName, RunId, VersionKey, VersionNumber};

closed_set! {
    /// Which contradiction.
    FindingKind, "kind of finding" {
        /// More than one version of a model is tagged champion.
        TwoChampions = "two_champions",
        /// The source has a champion of a model of which the target has one already.
        ChampionInTarget = "champion_in_target",
        /// A parent is named that neither store has, or none is named where there must be one.
        ParentMissing = "parent_missing",
        /// The parent was trained on another timeframe.
        ParentTimeframe = "parent_timeframe",
        /// `base_model_path` and `base_model_run_id` name different parents.
        ParentDiffers = "parent_differs",
        /// `old`, but nothing was bred from it.
        OldWithoutChildren = "old_without_children",
        /// `latest`, but a registered child names it as its parent.
        LatestWithChildren = "latest_with_children",
        /// A stage that no recorded change led to.
        StageWithoutHistory = "stage_without_history",
        /// A change begins in another stage than the one before it ended in.
        HistoryGap = "history_gap",
        /// The stage tag is not where the recorded changes end.
        StageDiffers = "stage_differs",
        /// A change of stage that herdbook would have refused.
        ForbiddenChange = "forbidden_change",
        /// A tag of the run is not that of its version.
        TagsDiffer = "tags_differ",
        /// A tag holds a word or a number that cannot stand there.
        UnknownWord = "unknown_word",
        /// One run has several versions.
        DuplicateRegistration = "duplicate_registration",
        /// A version has no model file.
        ModelFileMissing = "model_file_missing",
        /// A run says that it is being trained.
        RunLeftRunning = "run_left_running",
        /// Version numbers are missing.
        VersionGap = "version_gap",
        /// A recorded time lies in the future.
        FutureTime = "future_time",
        /// The alias `champion` does not point at the champion.
        AliasDiffers = "alias_differs",
        /// A text is longer than MLflow's tables hold.
        TooLong = "too_long",
        /// A record cannot be read, or has a name that cannot be one.
        Unusable = "unusable",
        /// Artifact files cannot be read.
        ArtifactsUnreadable = "artifacts_unreadable",
        /// Records of a kind that is not imported.
        LeftOut = "left_out",
    }
}

/// One contradiction, and what was done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which contradiction.
    pub kind: FindingKind,
    /// The registered model, as the source names it.
    pub name: Option<String>,
    /// The version's number in the source.
    pub version: Option<VersionNumber>,
    /// The run, as the source names it.
    pub run_id: Option<String>,
    /// What was found, in words.
    pub message: String,
    /// What was done, in words.
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

    /// The same about a registered model.
    #[must_use]
    pub fn of_model(self, name: &ModelName) -> Self {
        Self { name: Some(name.to_string()), ..self }
    }

    /// The same about a version, and its run.
    #[must_use]
    pub fn of_version(self, key: &VersionKey, run_id: Option<&RunId>) -> Self {
        Self {
            name: Some(key.name.to_string()),
            version: Some(key.version),
            run_id: run_id.map(ToString::to_string),
            ..self
        }
    }

    /// The same about a run, whatever its name.
    #[must_use]
    pub fn of_run(self, run_id: &str) -> Self {
        Self { run_id: Some(run_id.to_owned()), ..self }
    }

    /// Where, what and what was done, in one line.
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
