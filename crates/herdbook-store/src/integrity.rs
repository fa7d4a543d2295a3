//! Whether the records are what was written: the chain of events, and the registered model files.

use std::path::PathBuf;

use herdbook_domain::{ChainBreak, EventKind, RunId, VersionKey, hex_sha256, verify_chain};
use serde::Serialize;

use crate::db::{Conn, params};
use crate::experiment::local_folder;
use crate::remote::{Artifacts, Remote};
use crate::{EventQuery, Store, StoreError, VersionQuery, run};

/// The model file of a version, as it was registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegisteredFile {
    /// The run among whose artifacts it lies.
    pub run_id: RunId,
    /// Its path there.
    pub artifact: String,
    /// Lower-case hex SHA-256 of its content.
    pub sha256: String,
}

/// What a model file is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum FileState {
    /// What was registered.
    Intact,
    /// It is not there, or cannot be read.
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Something else.
    Altered {
        /// Where it is.
        path: PathBuf,
        /// Its hash.
        found: String,
    },
    /// Nobody recorded what it was: the version was registered outside herdbook.
    Unknown,
}

impl FileState {
    /// What is wrong with the file, as the rest of a sentence; `None` where nothing is known to be.
    pub fn problem(&self) -> Option<String> {
        match self {
            Self::Intact | Self::Unknown => None,
            Self::Missing { path } => Some(format!("is missing at `{}`", path.display())),
            Self::Altered { path, found } => {
                Some(format!("at `{}` was altered: its SHA-256 is {found}", path.display()))
            }
        }
    }
}

/// What a check of the whole store found.
#[derive(Debug, Clone)]
pub struct Verification {
    /// Number of events.
    pub n_events: usize,
    /// The hash of the last event, or the first break.
    pub chain: Result<String, ChainBreak>,
    /// Each registered version that was not deleted, with the state of its model file.
    pub files: Vec<(VersionKey, FileState)>,
}

impl Store {
    /// Recomputes the chain of events and the hash of every registered model file.
    pub fn verify(&self) -> Result<Verification, StoreError> {
        let events = self.events(&EventQuery::default())?;
        let versions = self.versions(&VersionQuery::default())?;
        let keys: Vec<VersionKey> = versions.into_iter().rev().map(|version| version.key).collect();
        let states = self.file_states(&keys)?;
        let files = keys.into_iter().zip(states).collect();
        Ok(Verification { n_events: events.len(), chain: verify_chain(&events), files })
    }

    /// What the model files of some versions are. Each is looked at on its own, as hashing takes long; a server sends its
    /// records once for all.
    pub(crate) fn file_states(&self, keys: &[VersionKey]) -> Result<Vec<FileState>, StoreError> {
        let remote = self.remote();
        if remote.is_some() {
            return self.read_as_it_stands(|conn| {
                keys.iter().map(|key| file_state(remote, conn, key)).collect::<Result<Vec<_>, _>>()
            });
        }
        keys.iter().map(|key| self.read(|conn| file_state(remote, conn, key))).collect()
    }

    /// The model file that was registered for a version, if that was recorded.
    pub fn registered_file(&self, key: &VersionKey) -> Result<Option<RegisteredFile>, StoreError> {
        self.read(|conn| registered_file(conn, key))
    }
}

fn registered_file(conn: &Conn, key: &VersionKey) -> Result<Option<RegisteredFile>, StoreError> {
    let found: Option<(String, String)> = conn.query_first(
        "SELECT run_id, details FROM herdbook_events
         WHERE name = ?1 AND version = ?2 AND kind = ?3 ORDER BY id DESC LIMIT 1",
        params![key.name.as_str(), key.version.get(), EventKind::Registered.as_str()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(found.and_then(|(run_id, details)| {
        let details: serde_json::Value = serde_json::from_str(&details).ok()?;
        let text = |field: &str| Some(details.get(field)?.as_str()?.to_owned());
        Some(RegisteredFile {
            run_id: RunId::parse(&run_id).ok()?,
            artifact: text("model_file")?,
            sha256: text("model_sha256")?,
        })
    }))
}

/// Reads a version's model file and compares it with what was registered.
pub(crate) fn file_state(
    remote: Option<&Remote>,
    conn: &Conn,
    key: &VersionKey,
) -> Result<FileState, StoreError> {
    let Some(file) = registered_file(conn, key)? else {
        return Ok(FileState::Unknown);
    };
    let uri = match run::artifact_uri(conn, &file.run_id) {
        Ok(uri) => uri,
        // The run was deleted for good, and its files with it.
        Err(StoreError::NoSuchRun { .. }) => file.run_id.to_string(),
        Err(error) => return Err(error),
    };
    let (path, bytes) = content(remote, &uri, &file.artifact)?;
    let Some(bytes) = bytes else {
        return Ok(FileState::Missing { path });
    };
    let found = hex_sha256(&bytes);
    if found == file.sha256 {
        Ok(FileState::Intact)
    } else {
        Ok(FileState::Altered { path, found })
    }
}

/// Where a file lies, and what is in it, where it can be read.
fn content(
    remote: Option<&Remote>,
    uri: &str,
    artifact: &str,
) -> Result<(PathBuf, Option<Vec<u8>>), StoreError> {
    if let Some(remote) = remote
        && let Ok(Artifacts::Proxy(folder)) = remote.artifacts_at(uri, uri)
    {
        let path = PathBuf::from(format!("{uri}/{artifact}"));
        return Ok((path, remote.fetch(&format!("{folder}/{artifact}"))?));
    }
    let path = local_folder(uri).unwrap_or_else(|| PathBuf::from(uri)).join(artifact);
    let bytes = std::fs::read(&path).ok();
    Ok((path, bytes))
}
