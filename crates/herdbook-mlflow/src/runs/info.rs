//! The row of a run.

use herdbook_store::StoreError;
use herdbook_store::engine::db::Row;

use crate::sql::text;

/// The row of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunInfo {
    /// 32 hexadecimal digits for a run that MLflow or herdbook made.
    pub run_id: String,
    /// Its experiment.
    pub experiment_id: i64,
    /// Its display name.
    pub name: String,
    /// Who started it.
    pub user_id: String,
    /// The spelling of a [`RunStatus`].
    pub status: String,
    /// Milliseconds since 1970.
    pub start_time: Option<i64>,
    /// Milliseconds since 1970; `None` while it runs.
    pub end_time: Option<i64>,
    /// Where its artifacts are.
    pub artifact_uri: String,
    /// `active` or `deleted`.
    pub lifecycle_stage: String,
}

/// The status of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStatus {
    /// It runs.
    Running,
    /// It is going to run.
    Scheduled,
    /// It ended well.
    Finished,
    /// It ended with an error.
    Failed,
    /// It was stopped.
    Killed,
}

impl RunStatus {
    /// Every status, with its name and number on the wire.
    pub const ALL: [(Self, &'static str, i64); 5] = [
        (Self::Running, "RUNNING", 1),
        (Self::Scheduled, "SCHEDULED", 2),
        (Self::Finished, "FINISHED", 3),
        (Self::Failed, "FAILED", 4),
        (Self::Killed, "KILLED", 5),
    ];

    /// The status of a number on the wire.
    pub fn of_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, _, known)| *known == number).map(|(status, _, _)| status)
    }

    /// The name.
    pub fn as_str(self) -> &'static str {
        let [running, scheduled, finished, failed, killed] = Self::ALL;
        match self {
            Self::Running => running.1,
            Self::Scheduled => scheduled.1,
            Self::Finished => finished.1,
            Self::Failed => failed.1,
            Self::Killed => killed.1,
        }
    }

    /// Whether a run with this status has ended.
    pub(crate) fn is_end(self) -> bool {
        !matches!(self, Self::Running | Self::Scheduled)
    }
}

/// The tag with the name of a run.
pub(crate) const RUN_NAME: &str = "mlflow.runName";

/// The columns that [`info_from_row`] reads.
pub(crate) const COLUMNS: &str = "run_uuid, experiment_id, name, user_id, status, start_time, end_time, \
                                  artifact_uri, lifecycle_stage";

pub(crate) fn info_from_row(row: &Row<'_>) -> Result<RunInfo, StoreError> {
    Ok(RunInfo {
        run_id: text(row, 0)?,
        experiment_id: row.readable(1)?.unwrap_or_default(),
        name: text(row, 2)?,
        user_id: text(row, 3)?,
        status: text(row, 4)?,
        start_time: row.readable(5)?,
        end_time: row.readable(6)?,
        artifact_uri: text(row, 7)?,
        lifecycle_stage: text(row, 8)?,
    })
}
