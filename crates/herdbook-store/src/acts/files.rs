//! Model files compared with their registered hashes.
//!
//! Hashing takes long, so a file is hashed before the transaction that depends on it. Inside the transaction only its
//! [`FileStamp`] is compared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use herdbook_domain::tags::key;
use herdbook_domain::{RunId, Seal, Timeframe, VersionKey};
use serde::Serialize;

use crate::artifacts::hashing;
use crate::artifacts::streams::{ArtifactStore, FileStamp};
use crate::engine::backend::Scope;
use crate::engine::db::Conn;
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::event::{self, RegisteredFile};
use crate::tables::unsealed::ServedFiles;
use crate::tables::{run, seal, version};

/// Maximum number of attempts to hash a file that changes while it is read.
const ATTEMPTS: usize = 5;

/// The state of a model file, compared with its registered hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum FileState {
    /// It has the registered hash.
    Intact,
    /// It does not exist, or cannot be reached from this machine.
    Missing {
        /// Its expected path.
        path: PathBuf,
    },
    /// It cannot be read, for example because it is a pipe or a device.
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// The reason.
        problem: String,
    },
    /// It has another hash.
    Altered {
        /// Its path.
        path: PathBuf,
        /// Its lower-case hex SHA-256.
        found: String,
    },
    /// No hash is recorded, because the version was registered outside herdbook. Where its run and timeframe are known,
    /// a file exists.
    Unknown,
}

impl FileState {
    /// What is wrong with the file, as the rest of a sentence; `None` if nothing is known to be wrong.
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::Intact | Self::Unknown => None,
            Self::Missing { path } => Some(format!("is missing at `{}`", path.display())),
            Self::Unreadable { path, problem } => {
                Some(format!("at `{}` cannot be read: {problem}", path.display()))
            }
            Self::Altered { path, found } => {
                Some(format!("at `{}` was altered: its SHA-256 is {found}", path.display()))
            }
        }
    }
}

/// The recorded model file of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
struct OnRecord {
    file: ExpectedFile,
    /// The artifact location of its run.
    artifacts: String,
}

/// The model file that the users of a version load.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ExpectedFile {
    /// The run that has it among its artifacts.
    run_id: RunId,
    /// Its path there.
    artifact: String,
    /// The registered lower-case hex SHA-256; `None` for a version that was registered outside herdbook.
    sha256: Option<String>,
}

impl From<RegisteredFile> for ExpectedFile {
    fn from(file: RegisteredFile) -> Self {
        let RegisteredFile { run_id, artifact, sha256 } = file;
        Self { run_id, artifact, sha256: Some(sha256) }
    }
}

/// A hashed file.
#[derive(Debug)]
struct Hashed {
    on_record: OnRecord,
    stamp: Option<FileStamp>,
    state: FileState,
}

/// Files that were hashed before an act, by version.
#[derive(Debug, Default)]
pub(crate) struct HashedFiles {
    models: BTreeMap<VersionKey, Hashed>,
    /// All served files of versions without a seal.
    served: BTreeMap<VersionKey, ServedFiles>,
}

impl HashedFiles {
    /// Hashes the model file of a version, and all its served files if it has no seal. Must not be called inside a
    /// transaction.
    pub(crate) fn hash(&mut self, store: &Store, key: &VersionKey) -> Result<(), StoreError> {
        let is_first = self.models.remove(key).is_none();
        // One look-up, because each costs a call of a server. The act checks its result.
        let (registered, seal) = store.read_in(Scope::KnownHistory, |conn| {
            Ok((event::registered_file(conn, key)?, seal::of_version(conn, key)?))
        })?;
        let file = match registered {
            Some(file) => Some(file.into()),
            None => store.read(|conn| expected_file(conn, key))?,
        };
        if let Some(file) = file {
            let run_id = file.run_id.clone();
            // If the run names another location than the seal, the act has the file hashed again, there.
            let sealed = seal.as_ref().and_then(|seal| sealed_location(seal, &file));
            let artifacts = match sealed.filter(|_| is_first) {
                Some(location) if store.backend().hides_what_is_out_of_scope() => location,
                _ => store.read_run(&run_id, |conn| artifacts_of(conn, &run_id))?,
            };
            self.models.insert(key.clone(), hash(store, OnRecord { file, artifacts })?);
        }
        if seal.is_none() {
            self.served.insert(key.clone(), store.hash_served_files(key)?);
        }
        Ok(())
    }

    /// The served files of a version without a seal.
    ///
    /// # Errors
    /// [`StoreError::FileNotHashed`] if they were not hashed.
    pub(crate) fn served(&self, key: &VersionKey) -> Result<&ServedFiles, StoreError> {
        self.served.get(key).ok_or_else(|| StoreError::FileNotHashed { key: key.clone() })
    }

    /// Whether the version had no seal when its files were hashed.
    pub(crate) fn is_unsealed(&self, key: &VersionKey) -> bool {
        self.served.contains_key(key)
    }

    /// The state of a version's model file, inside a transaction.
    ///
    /// # Errors
    /// [`StoreError::FileNotHashed`] if the file was not hashed, or has changed since.
    pub(crate) fn state(
        &self,
        store: &Store,
        conn: &Conn,
        key: &VersionKey,
    ) -> Result<FileState, StoreError> {
        let Some(on_record) = on_record(conn, key)? else {
            return Ok(FileState::Unknown);
        };
        match self.models.get(key) {
            Some(hashed)
                if hashed.on_record == on_record && hashed.stamp == stamp(store, &on_record)? =>
            {
                Ok(hashed.state.clone())
            }
            _ => Err(StoreError::FileNotHashed { key: key.clone() }),
        }
    }
}

impl Store {
    /// The states of the model files of some versions. Reads the records first, in one look-up, and then the files.
    pub(crate) fn file_states(&self, keys: &[VersionKey]) -> Result<Vec<FileState>, StoreError> {
        let on_record = self.read_as_it_stands(|conn| {
            keys.iter().map(|key| on_record(conn, key)).collect::<Result<Vec<_>, _>>()
        })?;
        let state = |on_record: Option<OnRecord>| match on_record {
            Some(on_record) => Ok(hash(self, on_record)?.state),
            None => Ok(FileState::Unknown),
        };
        on_record.into_iter().map(state).collect()
    }

    /// The registered model file of a version, if it was recorded.
    ///
    /// # Errors
    /// Those of the database.
    pub fn registered_file(&self, key: &VersionKey) -> Result<Option<RegisteredFile>, StoreError> {
        let file = self.read_in(Scope::History, |conn| event::registered_file(conn, key))?;
        if file.is_none() && self.backend().hides_what_is_out_of_scope() {
            // As for the events of a renamed model.
            return self.read(|conn| event::registered_file(conn, key));
        }
        Ok(file)
    }
}

fn on_record(conn: &Conn, key: &VersionKey) -> Result<Option<OnRecord>, StoreError> {
    let Some(file) = expected_file(conn, key)? else { return Ok(None) };
    let artifacts = artifacts_of(conn, &file.run_id)?;
    Ok(Some(OnRecord { file, artifacts }))
}

/// The file that the users of a version load; `None` if it is unknown.
fn expected_file(conn: &Conn, key: &VersionKey) -> Result<Option<ExpectedFile>, StoreError> {
    match event::registered_file(conn, key)? {
        Some(file) => Ok(Some(file.into())),
        None => unregistered_file(conn, key),
    }
}

/// The file that the users of a version without a recorded hash load; `None` if its run or timeframe is unknown.
fn unregistered_file(conn: &Conn, key: &VersionKey) -> Result<Option<ExpectedFile>, StoreError> {
    let record = match version::load(conn, key) {
        Ok(record) => record,
        Err(StoreError::NoSuchModel { .. } | StoreError::NoSuchVersion { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let timeframe: Option<Timeframe> = record.tag(key::TIMEFRAME);
    Ok(record.run_id.zip(timeframe).map(|(run_id, timeframe)| ExpectedFile {
        artifact: RunId::model_artifact(timeframe),
        run_id,
        sha256: None,
    }))
}

/// Where the artifacts of a run are. A run that was deleted permanently, or whose row names no location, has lost its files with
/// it: then the run's id.
pub(crate) fn artifacts_of(conn: &Conn, run_id: &RunId) -> Result<String, StoreError> {
    match run::artifact_uri(conn, run_id) {
        Err(StoreError::NoSuchRun { .. } | StoreError::Artifact { .. }) => Ok(run_id.to_string()),
        outcome => outcome,
    }
}

/// The artifact location of a file's run by the version's seal, which holds the location of the file's folder.
fn sealed_location(seal: &Seal, file: &ExpectedFile) -> Option<String> {
    let (folder, _) = file.artifact.rsplit_once('/')?;
    let source =
        seal.facts.source.as_deref().filter(|_| seal.run_id.as_ref() == Some(&file.run_id))?;
    Some(source.strip_suffix(folder)?.strip_suffix('/')?.to_owned())
}

/// The artifacts of a file's run; `None` if they cannot be reached from this machine, or were moved.
fn artifacts(
    store: &Store,
    on_record: &OnRecord,
) -> Result<Option<Box<dyn ArtifactStore>>, StoreError> {
    match store.artifacts_at(on_record.file.run_id.as_str(), &on_record.artifacts) {
        Ok(artifacts) => Ok(Some(artifacts)),
        Err(StoreError::ForeignArtifacts { .. } | StoreError::Moved { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn stamp(store: &Store, on_record: &OnRecord) -> Result<Option<FileStamp>, StoreError> {
    let artifacts = artifacts(store, on_record)?;
    Ok(artifacts.and_then(|artifacts| artifacts.stamp(&on_record.file.artifact)))
}

fn hash(store: &Store, on_record: OnRecord) -> Result<Hashed, StoreError> {
    let OnRecord { file, artifacts } = &on_record;
    let owner = file.run_id.as_str();
    let (state, stamp) = hash_at(store, owner, artifacts, &file.artifact, file.sha256.as_deref())?;
    Ok(Hashed { on_record, stamp, state })
}

/// Hashes the file `artifact` at a location of `owner`, and compares it with the recorded hash, if there is one. Must not be called inside a
/// transaction.
pub(crate) fn hash_at(
    store: &Store,
    owner: &str,
    location: &str,
    artifact: &str,
    sha256: Option<&str>,
) -> Result<(FileState, Option<FileStamp>), StoreError> {
    let artifacts = match store.artifacts_at(owner, location) {
        Ok(artifacts) => artifacts,
        Err(StoreError::ForeignArtifacts { .. } | StoreError::Moved { .. }) => {
            return Ok((FileState::Missing { path: Path::new(location).join(artifact) }, None));
        }
        Err(error) => return Err(error),
    };
    let path = artifacts.location_of(artifact);
    let mut n_left = ATTEMPTS;
    loop {
        n_left -= 1;
        let stamp = artifacts.stamp(artifact);
        let state = match artifacts.open(artifact, None) {
            Ok(None) => FileState::Missing { path: path.clone() },
            Err(StoreError::Artifact { source, .. }) => unreadable(&path, &source),
            Ok(Some(mut content)) => match hashing::sha256(&mut *content) {
                Ok(found) => match sha256 {
                    None => FileState::Unknown,
                    Some(registered) if registered == found => FileState::Intact,
                    Some(_) => FileState::Altered { path: path.clone(), found },
                },
                Err(source) => match artifacts.read_error(artifact, source) {
                    StoreError::Artifact { source, .. } => unreadable(&path, &source),
                    error => return Err(error),
                },
            },
            Err(error) => return Err(error),
        };
        // A file that changes all the time is reported as it was read. An act notices by the stamp that it has changed.
        if n_left == 0 || artifacts.stamp(artifact) == stamp {
            return Ok((state, stamp));
        }
    }
}

fn unreadable(path: &Path, problem: &std::io::Error) -> FileState {
    FileState::Unreadable { path: path.to_owned(), problem: problem.to_string() }
}
