//! The error of every operation on a store: one variant for each way out that a caller has.
//! The list of variants alone is most of this file.

use std::path::PathBuf;

use herdbook_domain::{ModelName, Refusal, RunId, RunPrefix, RunStatus, VersionKey, VersionNumber};

use crate::history_change::HistoryChange;

/// Why an operation on a store failed. Nothing was written, except where a variant says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The rulebook forbids it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The tracking URI is malformed or of an unsupported kind.
    #[error("the tracking URI `{uri}` is not supported: {rule}")]
    UnsupportedUri {
        /// The URI, without a password.
        uri: String,
        /// What is wrong with it, or which URIs are supported.
        rule: String,
    },
    /// A path that would be recorded is not valid UTF-8; MLflow keeps paths as text.
    #[error("the path `{}` is not valid UTF-8, so it cannot be recorded: use another folder", path.display())]
    NotUtf8 {
        /// The path.
        path: PathBuf,
    },
    /// The named store does not exist.
    #[error("there is no store at `{store}`")]
    NoStore {
        /// The database file, or the URI without a password.
        store: String,
    },
    /// The folder holds a file store of MLflow, which MLflow itself would use instead of the database.
    #[error("`{}` is an MLflow file store (it holds `{example}`), which MLflow would use instead of `mlflow.db`: import it with `herdbook import ./mlruns`, rename it if it is imported already, choose a store with `--tracking-uri sqlite:///…`, or use another folder", path.display())]
    FileStore {
        /// The `mlruns` folder.
        path: PathBuf,
        /// A file in it that only a file store has.
        example: String,
    },
    /// The file is not an SQLite database, or its first page is damaged.
    #[error("`{store}` is not an SQLite database, or its first page is damaged")]
    NotADatabase {
        /// The database file, or the URI without a password.
        store: String,
    },
    /// The files of the database are damaged.
    #[error("the store `{store}` is damaged: {problem}")]
    Damaged {
        /// The database file, or the URI without a password.
        store: String,
        /// The engine's message.
        problem: String,
    },
    /// The database has a schema that this version does not support.
    #[error("the schema of `{store}` is not supported: {problem}")]
    Schema {
        /// The database file, or the URI without a password.
        store: String,
        /// What differs, and the way out.
        problem: String,
    },
    /// Several versions of a model are tagged champion, so the index that forbids this cannot be created.
    #[error(
        "`{name}` has more than one champion ({}), written outside herdbook: give all but one of them another `promotion_stage` tag with MLflow's client, then try again",
        numbers(versions)
    )]
    TwoChampions {
        /// The registered model.
        name: String,
        /// The numbers of the versions tagged champion.
        versions: Vec<i64>,
    },
    /// Another process held the store's write lock for longer than the time limit.
    #[error("the store `{store}` is locked by another process (waited {waited_s} s)")]
    Busy {
        /// The database file, or the URI without a password.
        store: String,
        /// How long the caller waited, in seconds.
        waited_s: u64,
    },
    /// Internal: [`StoreError::StoreBusy`] before the store's name is known.
    #[error("all {limit} connections are in use")]
    NoFreeConnection {
        /// The most connections that the store opens.
        limit: usize,
    },
    /// All connections of the opened store stayed in use for longer than the time limit.
    #[error(
        "the store `{store}` is busy: all {limit} connections were in use for {waited_s} s: try again later"
    )]
    StoreBusy {
        /// The database file, or the URI without a password.
        store: String,
        /// The most connections that the store opens.
        limit: usize,
        /// How long the caller waited, in seconds.
        waited_s: u64,
    },
    /// A model file kept changing while it was checked. Internally also: the file must be hashed before the act.
    #[error(
        "the model file of {key} keeps changing while it is checked: try again when nothing writes to it"
    )]
    FileNotHashed {
        /// The version of the file.
        key: VersionKey,
    },
    /// The database file can be neither opened nor created.
    #[error(
        "the store `{store}` cannot be opened or created: its folder must exist and be writable"
    )]
    CannotOpen {
        /// The database file, or the URI without a password.
        store: String,
    },
    /// The database file was removed or replaced while it was open.
    #[error(
        "the store `{store}` was removed or replaced while it was in use: the last write is lost"
    )]
    Replaced {
        /// The database file, or the URI without a password.
        store: String,
    },
    /// The store was moved with its artifacts, whose recorded locations are those of the former place.
    #[error(
        "the store was moved from `{}` to `{}`, but its records still name the files in the former folder",
        from.display(), to.display()
    )]
    Moved {
        /// The recorded folder of the database.
        from: PathBuf,
        /// The present folder.
        to: PathBuf,
    },
    /// The database is a copy of one that still exists, and its records name the files of the original.
    #[error(
        "`{copy}` is a copy of the store `{original}`: its records name the files of the original, so nothing is written"
    )]
    Copied {
        /// The original.
        original: String,
        /// The copy.
        copy: String,
    },
    /// The database was restored on another server.
    #[error(
        "the database was restored from another server (`{from}`, now `{to}`): the original may still be in use and write to the same files"
    )]
    Restored {
        /// The recorded database.
        from: String,
        /// The present one.
        to: String,
    },
    /// The history is not the one that was last seen on this machine.
    #[error("the store `{store}` was changed: {change}")]
    HistoryChanged {
        /// The database file, or the URI without a password.
        store: String,
        /// What differs.
        change: Box<HistoryChange>,
    },
    /// The records cannot be relocated: files are missing or altered at the new place.
    #[error("nothing was relocated: {}", problems.join("\n"))]
    CannotRelocate {
        /// What is wrong, and where.
        problems: Vec<String>,
    },
    /// The store can be read but not written.
    #[error("the store `{store}` is read-only: make the file and its folder writable")]
    ReadOnly {
        /// The database file, or the URI without a password.
        store: String,
    },
    /// The disk has no space left.
    #[error("the disk that holds `{store}` is full")]
    DiskFull {
        /// The database file, or the URI without a password.
        store: String,
    },
    /// The operating system failed to read or write the database file.
    #[error(
        "the store `{store}` could not be read or written ({source}): the disk may be full or failing, or there is a file-size limit"
    )]
    InputOutput {
        /// The database file, or the URI without a password.
        store: String,
        /// The error of SQLite.
        source: rusqlite::Error,
    },
    /// There is no such registered model.
    #[error("there is no registered model `{name}`{}", known(known_models))]
    NoSuchModel {
        /// As requested.
        name: ModelName,
        /// The names of all registered models.
        known_models: Vec<String>,
    },
    /// A condition on promotion names a model that the store has not and had never.
    #[error(
        "a condition on promotion names the model `{name}`, which was never registered{}",
        known(known_models)
    )]
    UnknownModelInConditions {
        /// As the condition names it.
        name: ModelName,
        /// The names of all registered models.
        known_models: Vec<String>,
    },
    /// There is no such version.
    #[error("there is no {key}: the newest is version {newest}")]
    NoSuchVersion {
        /// As requested.
        key: VersionKey,
        /// The newest version of the model.
        newest: VersionNumber,
    },
    /// Another evaluation was recorded after the ones that this one was joined with.
    #[error("another evaluation was recorded in the meantime; {key} must be evaluated again")]
    EvaluatedMeanwhile {
        /// The version.
        key: VersionKey,
    },
    /// An evaluation was recorded after the bars of a training's test were compared with those of all evaluations.
    #[error(
        "an evaluation was recorded while run `{run_id}` ended; its bars must be compared again"
    )]
    TestedMeanwhile {
        /// The run.
        run_id: RunId,
    },
    /// The version was deleted through MLflow.
    #[error("{key} was deleted")]
    DeletedVersion {
        /// The version.
        key: VersionKey,
    },
    /// There is no such run.
    #[error("there is no run `{run_id}`")]
    NoSuchRun {
        /// As requested.
        run_id: RunId,
    },
    /// No run has an id with this beginning.
    #[error("there is no run whose id begins with `{prefix}`")]
    NoSuchRunPrefix {
        /// As requested.
        prefix: RunPrefix,
    },
    /// The ids of several runs have this beginning.
    #[error(
        "`{prefix}` is the beginning of several run ids: {}{}",
        run_ids(candidates),
        if *has_more { " and more" } else { "" }
    )]
    AmbiguousRun {
        /// As requested.
        prefix: RunPrefix,
        /// The first of them, sorted.
        candidates: Vec<RunId>,
        /// Whether there are more.
        has_more: bool,
    },
    /// The same digits name a version and begin a run id.
    #[error("these digits name {key} and begin the run id `{run_id}`")]
    VersionOrRun {
        /// The version.
        key: VersionKey,
        /// The run.
        run_id: RunId,
    },
    /// The run has ended, or was deleted through MLflow.
    #[error(
        "the run `{run_id}` is `{status}`, not `{}`: it can no longer be changed",
        RunStatus::Running
    )]
    RunNotRunning {
        /// The run.
        run_id: RunId,
        /// The run's status, or `deleted`.
        status: String,
    },
    /// The run failed, was cancelled, is still running or was deleted, so its model is not finished.
    #[error(
        "the run `{run_id}` is `{status}`, not `{}`: it has no finished model",
        RunStatus::Finished
    )]
    RunNotFinished {
        /// The run.
        run_id: RunId,
        /// The run's status, or `deleted`.
        status: String,
    },
    /// The run's model is registered already.
    #[error("the model of run `{run_id}` is already registered as {key}")]
    AlreadyRegistered {
        /// The run.
        run_id: RunId,
        /// The version of its model.
        key: VersionKey,
    },
    /// The run cannot be resumed.
    #[error("the run `{run_id}` {problem}: it cannot be resumed")]
    NotResumable {
        /// The run.
        run_id: RunId,
        /// Why not, as the rest of a sentence about the run.
        problem: String,
    },
    /// The experiment was deleted through MLflow.
    #[error(
        "the experiment `{name}` was deleted: restore it with `mlflow experiments restore -x {id}` or use another one"
    )]
    DeletedExperiment {
        /// The experiment's name.
        name: String,
        /// The experiment's id.
        id: i64,
    },
    /// The artifacts of a run or experiment are at a location that cannot be reached from this machine.
    #[error(
        "the artifacts of `{name}` are at `{location}`, which cannot be reached from this machine: use another experiment"
    )]
    ForeignArtifacts {
        /// The experiment's name or the run's id.
        name: String,
        /// The artifact location.
        location: String,
    },
    /// A run cannot be started with this name or tag: MLflow does not allow it.
    #[error("cannot start a run with {what}: {problem}")]
    CannotStart {
        /// The name or tag.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A metric, param or tag cannot be logged: MLflow does not allow it.
    #[error("cannot log {what} to the run `{run_id}`: {problem}")]
    CannotLog {
        /// The run.
        run_id: RunId,
        /// The entry.
        what: String,
        /// What is wrong with it, and the way out.
        problem: String,
    },
    /// An artifact file or its folder could not be read or written.
    #[error("cannot {verb} `{}`: {source}", path.display())]
    Artifact {
        /// What was tried, for example "read".
        verb: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The store to import from cannot be read.
    #[error("cannot import from `{source_uri}`: {problem}")]
    Source {
        /// The source as given.
        source_uri: String,
        /// Why not.
        problem: String,
    },
    /// The import would write into the store that it reads.
    #[error("`{}` is inside the store to import from: use another folder, or choose another store with `--tracking-uri`", path.display())]
    SameStore {
        /// The file or folder that would be written.
        path: PathBuf,
    },
    /// A record has a value that its column or the rules do not allow.
    #[error("the records are inconsistent: {what}: {problem}")]
    BrokenRecord {
        /// The record.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Any other error of SQLite.
    #[error("the store `{store}` failed: {source}")]
    Database {
        /// The database file, or the URI without a password.
        store: String,
        /// The error of SQLite.
        source: rusqlite::Error,
    },
    /// The server does not answer, or rejects the user.
    #[error("the store `{store}` cannot be reached: {problem}")]
    Unreachable {
        /// The database file, or the URI without a password.
        store: String,
        /// The error of the network or the server.
        problem: String,
    },
    /// An environment variable of MLflow about the access to a server has an unusable value.
    #[error("{variable}: {problem}")]
    BadAccess {
        /// The variable's name.
        variable: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The server is not an MLflow server.
    #[error("`{store}` is not an MLflow server: {problem}")]
    NotMlflow {
        /// The server's address.
        store: String,
        /// What it answered.
        problem: String,
    },
    /// An MLflow server answered a call with an error.
    #[error(
        "the MLflow server `{store}` answers `{endpoint}` with status {status}{}",
        said(code, message)
    )]
    ServerRefused {
        /// The server's address.
        store: String,
        /// The endpoint that was called.
        endpoint: String,
        /// The HTTP status.
        status: u16,
        /// MLflow's error code; empty if a program other than MLflow answered.
        code: String,
        /// The server's message.
        message: String,
    },
    /// The act is recorded and takes effect, but some of its tags and aliases are not written yet.
    #[error(
        "the act is recorded at `{store}`, but not all tags and aliases could be updated ({problem}): the next herdbook command that can write there completes them"
    )]
    Unfinished {
        /// The server's address.
        store: String,
        /// What happened.
        problem: String,
    },
    /// The connection broke during a commit, and the server could not be asked for the outcome.
    #[error(
        "the connection to the store `{store}` broke during the commit, so it is unknown whether the act took effect: check before you repeat it"
    )]
    OutcomeUnknown {
        /// The database file, or the URI without a password.
        store: String,
    },
    /// Any other error of a database server.
    #[error("the store `{store}` failed: {problem}")]
    Server {
        /// The database file, or the URI without a password.
        store: String,
        /// The server's message.
        problem: String,
    },
    /// Internal: an error of SQLite before the store's name is known.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// Internal: an error of PostgreSQL before the store's name is known.
    #[error(transparent)]
    Postgres(#[from] postgres::Error),
}

fn numbers(versions: &[i64]) -> String {
    versions.iter().map(|version| format!("version {version}")).collect::<Vec<_>>().join(", ")
}

fn run_ids(candidates: &[RunId]) -> String {
    candidates.iter().map(|run_id| format!("`{run_id}`")).collect::<Vec<_>>().join(", ")
}

fn known(models: &[String]) -> String {
    match models {
        [] => ": no model is registered yet".to_owned(),
        models => format!(": there are {}", models.join(", ")),
    }
}

impl StoreError {
    /// Whether the connection to the store failed, so that the act may have taken effect.
    pub fn is_about_connection(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::OutcomeUnknown { .. } | Self::Unfinished { .. }
        )
    }
}

fn said(code: &str, message: &str) -> String {
    match (code, message) {
        ("", "") => String::new(),
        (code, message) => format!(" ({})", format!("{code}: {message}").trim_matches([':', ' '])),
    }
}
