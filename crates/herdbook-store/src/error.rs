//! What can go wrong between a caller and the records, one variant per thing the caller can do about it.

use std::path::{Path, PathBuf};

use herdbook_domain::{ModelName, Refusal, RunId, RunStatus, VersionKey, VersionNumber};

/// Why an act on the store did not happen. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The rules stand against it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The tracking URI names no store that can be opened.
    #[error("the tracking URI `{uri}` is not supported: {rule}")]
    UnsupportedUri {
        /// As given.
        uri: String,
        /// What is supported.
        rule: &'static str,
    },
    /// MLflow keeps paths as text.
    #[error("the path `{}` is not UTF-8, so the records cannot name it: work in another folder", path.display())]
    NotUtf8 {
        /// The path.
        path: PathBuf,
    },
    /// There is no store where one was named.
    #[error("there is no store at `{}`", path.display())]
    NoStore {
        /// The database file.
        path: PathBuf,
    },
    /// MLflow would use the file store in `mlruns`, not the database.
    #[error("`{}` is an MLflow file store (it holds `{example}`), so MLflow would not look into `mlflow.db` here: name a store with `--tracking-uri sqlite:///…`, or work in another folder", path.display())]
    FileStore {
        /// The `mlruns` folder.
        path: PathBuf,
        /// The file that shows it.
        example: String,
    },
    /// The file is no SQLite database.
    #[error("`{}` is not an SQLite database", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The database has a schema that cannot be used.
    #[error("the schema of `{}` is not one that can be used: {problem}", path.display())]
    Schema {
        /// The database file.
        path: PathBuf,
        /// What does not fit, and the way out.
        problem: String,
    },
    /// Two versions carry the champion tag, so the index that forbids it cannot stand.
    #[error(
        "`{name}` has more than one champion ({}), written outside herdbook: give all but one of them another `promotion_stage` tag with MLflow's client, then try again",
        numbers(versions)
    )]
    TwoChampions {
        /// The registered model.
        name: String,
        /// Its champions.
        versions: Vec<i64>,
    },
    /// Another process holds the store's write lock.
    #[error("the store `{}` is locked by another process (waited {waited_s} s)", path.display())]
    Busy {
        /// The database file.
        path: PathBuf,
        /// How long was waited.
        waited_s: u64,
    },
    /// The file cannot be opened or made.
    #[error("the store `{}` cannot be opened or made: its folder must exist and be writable", path.display())]
    CannotOpen {
        /// The database file.
        path: PathBuf,
    },
    /// The file was removed or replaced while it was open.
    #[error("the store `{}` was removed or replaced while it was in use: what was to be written is lost", path.display())]
    Replaced {
        /// The database file.
        path: PathBuf,
    },
    /// The store may be read but not written.
    #[error("the store `{}` is read-only: make the file and its folder writable", path.display())]
    ReadOnly {
        /// The database file.
        path: PathBuf,
    },
    /// No space is left.
    #[error("the disk that holds `{}` is full", path.display())]
    DiskFull {
        /// The database file.
        path: PathBuf,
    },
    /// The system refused to read or write the file.
    #[error("the store `{}` could not be read or written ({source}): the disk may be full or failing, or a file-size limit set", path.display())]
    InputOutput {
        /// The database file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// No such registered model.
    #[error("there is no registered model `{name}`{}", known(known_models))]
    NoSuchModel {
        /// As asked for.
        name: ModelName,
        /// Those there are.
        known_models: Vec<String>,
    },
    /// No such version.
    #[error("there is no {key}: the newest is version {newest}")]
    NoSuchVersion {
        /// As asked for.
        key: VersionKey,
        /// The newest one there is.
        newest: VersionNumber,
    },
    /// The version was deleted through MLflow.
    #[error("{key} was deleted")]
    DeletedVersion {
        /// Which.
        key: VersionKey,
    },
    /// No such run.
    #[error("there is no run `{run_id}`")]
    NoSuchRun {
        /// As asked for.
        run_id: RunId,
    },
    /// The run was ended, by this process or another one.
    #[error(
        "the run `{run_id}` is `{status}`, not `{}`: it cannot be changed any more",
        RunStatus::Running
    )]
    RunNotRunning {
        /// Which.
        run_id: RunId,
        /// Its status.
        status: String,
    },
    /// The run did not come to its end, so it has no finished model.
    #[error(
        "the run `{run_id}` is `{status}`, not `{}`: it has no finished model",
        RunStatus::Finished
    )]
    RunNotFinished {
        /// Which.
        run_id: RunId,
        /// Its status.
        status: String,
    },
    /// The run's model has a version already.
    #[error("the model of run `{run_id}` is registered already, as {key}")]
    AlreadyRegistered {
        /// Which.
        run_id: RunId,
        /// Its version.
        key: VersionKey,
    },
    /// The run cannot go on.
    #[error("the run `{run_id}` {problem}: it cannot be taken up again")]
    NotResumable {
        /// Which.
        run_id: RunId,
        /// Why.
        problem: String,
    },
    /// The experiment was deleted through MLflow.
    #[error(
        "the experiment `{name}` was deleted: restore it with `mlflow experiments restore -x {id}` or name another one"
    )]
    DeletedExperiment {
        /// Which.
        name: String,
        /// Its id.
        id: i64,
    },
    /// The experiment keeps its artifacts where this process cannot write.
    #[error(
        "the experiment `{name}` keeps its artifacts at `{location}`, which is not a folder of this machine: name another experiment"
    )]
    ForeignArtifacts {
        /// Which.
        name: String,
        /// Its artifact location.
        location: String,
    },
    /// A file could not be written or read.
    #[error("cannot {verb} `{}`: {source}", path.display())]
    Artifact {
        /// What was tried.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A row holds what the rules do not allow there.
    #[error("the records hold {what}, which cannot be: {problem}")]
    BrokenRecord {
        /// Which row.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Anything else that SQLite reports.
    #[error("the store `{}` failed: {source}", path.display())]
    Database {
        /// The database file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// An error of SQLite that has not met its file yet; only inside this crate.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

fn numbers(versions: &[i64]) -> String {
    versions.iter().map(|version| format!("version {version}")).collect::<Vec<_>>().join(", ")
}

fn known(models: &[String]) -> String {
    match models {
        [] => ": no model is registered yet".to_owned(),
        models => format!(": there are {}", models.join(", ")),
    }
}

impl StoreError {
    /// Names the file in an error of SQLite, and sorts out what a caller can do about it.
    pub(crate) fn at(self, path: &Path, waited_s: u64) -> Self {
        use rusqlite::ErrorCode;
        let Self::Sqlite(source) = self else {
            return self;
        };
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Busy { path, waited_s }
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly { path },
            Some(ErrorCode::DiskFull) => Self::DiskFull { path },
            Some(ErrorCode::CannotOpen) => Self::CannotOpen { path },
            Some(ErrorCode::SystemIoFailure) => Self::InputOutput { path, source },
            Some(ErrorCode::NotADatabase) => Self::NotADatabase { path },
            _ => Self::Database { path, source },
        }
    }
}
