//! What can go wrong between a caller and the records, one variant per thing the caller can do about it.

use std::path::PathBuf;
use std::time::Duration;

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
        rule: String,
    },
    /// MLflow keeps paths as text.
    #[error("the path `{}` is not UTF-8, so the records cannot name it: work in another folder", path.display())]
    NotUtf8 {
        /// The path.
        path: PathBuf,
    },
    /// There is no store where one was named.
    #[error("there is no store at `{store}`")]
    NoStore {
        /// The database.
        store: String,
    },
    /// MLflow would use the file store in `mlruns`, not the database.
    #[error("`{}` is an MLflow file store (it holds `{example}`), so MLflow would not look into `mlflow.db` here: `herdbook import ./mlruns` takes it in; or name a store with `--tracking-uri sqlite:///…`, or work in another folder", path.display())]
    FileStore {
        /// The `mlruns` folder.
        path: PathBuf,
        /// The file that shows it.
        example: String,
    },
    /// The file is no SQLite database.
    #[error("`{store}` is not an SQLite database")]
    NotADatabase {
        /// The database.
        store: String,
    },
    /// The database has a schema that cannot be used.
    #[error("the schema of `{store}` is not one that can be used: {problem}")]
    Schema {
        /// The database.
        store: String,
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
    #[error("the store `{store}` is locked by another process (waited {waited_s} s)")]
    Busy {
        /// The database.
        store: String,
        /// How long was waited.
        waited_s: u64,
    },
    /// All connections of the opened store stayed in use for as long as the caller may wait; [`StoreError::StoreBusy`] in
    /// the end. Only inside this crate.
    #[error("all {limit} connections are in use")]
    NoFreeConnection {
        /// How many there are.
        limit: usize,
    },
    /// All connections of the opened store stayed in use for as long as the caller may wait.
    #[error(
        "the store `{store}` is busy: all {limit} connections stayed in use for {waited_s} s: try again later"
    )]
    StoreBusy {
        /// The database.
        store: String,
        /// How many connections there are.
        limit: usize,
        /// How long was waited.
        waited_s: u64,
    },
    /// A model file was not hashed before the act, or changed since; only inside this crate, unless it keeps changing.
    #[error(
        "the model file of {key} changes while it is being checked: try again when it is at rest"
    )]
    FileNotHashed {
        /// Whose file.
        key: VersionKey,
    },
    /// The file cannot be opened or made.
    #[error("the store `{store}` cannot be opened or made: its folder must exist and be writable")]
    CannotOpen {
        /// The database.
        store: String,
    },
    /// The file was removed or replaced while it was open.
    #[error(
        "the store `{store}` was removed or replaced while it was in use: what was to be written is lost"
    )]
    Replaced {
        /// The database.
        store: String,
    },
    /// The store may be read but not written.
    #[error("the store `{store}` is read-only: make the file and its folder writable")]
    ReadOnly {
        /// The database.
        store: String,
    },
    /// No space is left.
    #[error("the disk that holds `{store}` is full")]
    DiskFull {
        /// The database.
        store: String,
    },
    /// The system refused to read or write the file.
    #[error(
        "the store `{store}` could not be read or written ({source}): the disk may be full or failing, or a file-size limit set"
    )]
    InputOutput {
        /// The database.
        store: String,
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
    /// What was to be logged is not what MLflow keeps.
    #[error("cannot log {what} to the run `{run_id}`: {problem}")]
    CannotLog {
        /// The run.
        run_id: RunId,
        /// Which entry.
        what: String,
        /// What is wrong with it, and the way out.
        problem: String,
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
    /// The store to import from cannot be read.
    #[error("cannot import from `{source_uri}`: {problem}")]
    Source {
        /// As given.
        source_uri: String,
        /// Why.
        problem: String,
    },
    /// What is imported into would be, or lie in, what is imported from.
    #[error("`{}` is, or lies in, the store to import from: work in another folder, or name another store with `--tracking-uri`", path.display())]
    SameStore {
        /// What would be written.
        path: PathBuf,
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
    #[error("the store `{store}` failed: {source}")]
    Database {
        /// The database.
        store: String,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The database server does not answer, or does not let this user in.
    #[error("the store `{store}` cannot be reached: {problem}")]
    Unreachable {
        /// The database, without its password.
        store: String,
        /// What the network or the server says.
        problem: String,
    },
    /// A variable of MLflow's that says how a server is reached cannot be used.
    #[error("{variable}: {problem}")]
    BadAccess {
        /// Its name.
        variable: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// Something answers, but not as MLflow does.
    #[error("`{store}` does not answer as an MLflow server does: {problem}")]
    NotMlflow {
        /// The server's address.
        store: String,
        /// What it did.
        problem: String,
    },
    /// An MLflow server answered a call with an error.
    #[error(
        "the MLflow server `{store}` answers `{endpoint}` with status {status}{}",
        said(code, message)
    )]
    ServerRefused {
        /// Its address.
        store: String,
        /// What was asked.
        endpoint: String,
        /// The HTTP status.
        status: u16,
        /// MLflow's name of the error; empty where another program answered.
        code: String,
        /// In the server's words.
        message: String,
    },
    /// The act is recorded; not all that follows from it could be written.
    #[error(
        "the act is recorded at `{store}`, but tags and alias could not all follow ({problem}): the next herdbook command that can write there completes them"
    )]
    Unfinished {
        /// The server's address.
        store: String,
        /// What happened.
        problem: String,
    },
    /// The connection broke while a commit was under way, and nobody could be asked what became of it.
    #[error(
        "the connection to the store `{store}` broke while it committed, so the act may have happened or not: look before you repeat it"
    )]
    OutcomeUnknown {
        /// The database, without its password.
        store: String,
    },
    /// Anything else that a database server reports.
    #[error("the store `{store}` failed: {problem}")]
    Server {
        /// The database, without its password.
        store: String,
        /// What the server says.
        problem: String,
    },
    /// An error of SQLite that has not met its store yet; only inside this crate.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// An error of PostgreSQL that has not met its store yet; only inside this crate.
    #[error(transparent)]
    Postgres(#[from] postgres::Error),
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
    /// Names the store in an error of its engine, and sorts out what a caller can do about it.
    pub(crate) fn at(self, store: &str, waited: Duration) -> Self {
        let (store, waited_s) = (store.to_owned(), waited.as_secs());
        match self {
            Self::Sqlite(source) => Self::of_sqlite(source, store, waited_s),
            Self::Postgres(source) => Self::of_postgres(&source, store, waited_s),
            Self::NoFreeConnection { limit } => Self::StoreBusy { store, limit, waited_s },
            other => other,
        }
    }

    /// Whether it is about the way to the store: the act itself may have happened.
    pub fn is_about_connection(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::OutcomeUnknown { .. } | Self::Unfinished { .. }
        )
    }

    fn of_sqlite(source: rusqlite::Error, store: String, waited_s: u64) -> Self {
        use rusqlite::{ErrorCode, ffi};
        let extended = source.sqlite_error().map(|error| error.extended_code);
        if extended == Some(ffi::SQLITE_READONLY_DBMOVED) {
            return Self::Replaced { store };
        }
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Busy { store, waited_s }
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly { store },
            Some(ErrorCode::DiskFull) => Self::DiskFull { store },
            Some(ErrorCode::CannotOpen) => Self::CannotOpen { store },
            Some(ErrorCode::SystemIoFailure) => Self::InputOutput { store, source },
            Some(ErrorCode::NotADatabase) => Self::NotADatabase { store },
            _ => Self::Database { store, source },
        }
    }

    fn of_postgres(source: &postgres::Error, store: String, waited_s: u64) -> Self {
        use postgres::error::SqlState;
        let Some(error) = source.as_db_error() else {
            return Self::Unreachable { store, problem: with_causes(source) };
        };
        let code = error.code();
        if [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED].contains(code) {
            return Self::Busy { store, waited_s };
        }
        if *code == SqlState::DISK_FULL {
            return Self::DiskFull { store };
        }
        // Class 28: who asks is not let in; 3D and 57: there is no such database, or it is going down.
        if ["28", "3D", "57", "08"].iter().any(|class| code.code().starts_with(class)) {
            return Self::Unreachable { store, problem: error.message().to_owned() };
        }
        let detail = error.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
        Self::Server { store, problem: format!("{}{detail}", error.message()) }
    }
}

fn said(code: &str, message: &str) -> String {
    match (code, message) {
        ("", "") => String::new(),
        (code, message) => format!(" ({})", format!("{code}: {message}").trim_matches([':', ' '])),
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
