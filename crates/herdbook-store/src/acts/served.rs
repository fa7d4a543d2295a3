//! The files that MLflow serves as a version, hashed before the act that seals them.

use std::collections::BTreeMap;

use herdbook_domain::{RunId, Seal, Timeframe, VersionKey};

use crate::acts::artifacts::open_existing;
use crate::acts::files::{FileState, artifacts_of, hash_at};
use crate::artifacts::hashing;
use crate::artifacts::local::is_partial;
use crate::artifacts::streams::ArtifactStore;
use crate::engine::db::Conn;
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::unsealed::{ServedFiles, ServedFolder, served_folder};
use crate::tables::{event, run, version};

/// The end of the name of a checkpoint, which is beside the model until its run is registered, and is never served after
/// that.
pub const CHECKPOINT_ENDING: &str = ".resume";

impl Store {
    /// Hashes the files with which a run's model is to be registered. Must not be called inside a transaction.
    ///
    /// # Errors
    /// As [`Store::artifacts`]; those of reading the files.
    pub(crate) fn hash_model_folder(
        &self,
        run_id: &RunId,
        timeframe: Timeframe,
    ) -> Result<ServedFiles, StoreError> {
        let artifacts = self.artifacts(run_id)?;
        let folder = format!("models/{timeframe}");
        Ok(ServedFiles { sha256: hash_folder(&*artifacts, &folder)?, problem: None })
    }

    /// Hashes the files in a folder among a run's artifacts, for a seal. Must not be called inside a transaction.
    ///
    /// # Errors
    /// Those of the database, and of reaching a server. Files that cannot be read are not an error.
    pub fn hash_artifact_folder(
        &self,
        run_id: &RunId,
        folder: &str,
    ) -> Result<ServedFiles, StoreError> {
        let location = match self.read_run(run_id, |conn| run::artifact_uri(conn, run_id)) {
            Ok(uri) => Some(joined(&uri, folder)),
            Err(StoreError::Artifact { .. }) => None,
            Err(error) => return Err(error),
        };
        self.hash_served(&ServedFolder { location, ..ServedFolder::default() }, Some(run_id))
    }

    /// Hashes the files that MLflow serves as a version. Must not be called inside a transaction.
    ///
    /// # Errors
    /// Those of the database, and of reaching a server. Files that cannot be read are not an error.
    pub(crate) fn hash_served_files(&self, key: &VersionKey) -> Result<ServedFiles, StoreError> {
        let (folder, run_id) = self.read(|conn| {
            let run_id = version::load(conn, key)?.run_id;
            Ok((served_folder(conn, key)?, run_id))
        })?;
        self.hash_served(&folder, run_id.as_ref())
    }

    pub(crate) fn hash_served(
        &self,
        folder: &ServedFolder,
        run_id: Option<&RunId>,
    ) -> Result<ServedFiles, StoreError> {
        let unknown =
            |problem: String| Ok(ServedFiles { sha256: BTreeMap::new(), problem: Some(problem) });
        let Some(location) = &folder.location else {
            let uri = folder.source.as_deref().unwrap_or_default();
            return unknown(format!("its location `{uri}` is not a folder on record"));
        };
        let owner = run_id.map_or_else(|| location.clone(), ToString::to_string);
        let artifacts = match self.artifacts_at(&owner, location) {
            Ok(artifacts) => artifacts,
            Err(StoreError::ForeignArtifacts { .. }) => {
                return unknown(format!("`{location}` cannot be reached from this machine"));
            }
            Err(error) => return Err(error),
        };
        match hash_folder(&*artifacts, "") {
            Ok(sha256) if sha256.is_empty() => unknown(format!("`{location}` has no files")),
            Ok(sha256) => Ok(ServedFiles { sha256, problem: None }),
            Err(error @ StoreError::Artifact { .. }) => unknown(error.to_string()),
            Err(error) => Err(error),
        }
    }
}

/// The file by which MLflow loads a folder as a model.
const ML_MODEL: &str = "MLmodel";

/// A served file that is not as it was sealed.
#[derive(Debug)]
pub(crate) struct WrongFile {
    /// Its path in the served folder.
    pub(crate) path: String,
    /// What is wrong, as the rest of a sentence.
    pub(crate) problem: String,
}

impl Store {
    /// The sealed files of a version that are missing, altered or added, without its model file, which is checked alone. Must not
    /// be called inside a transaction.
    ///
    /// # Errors
    /// Those of the database, and of reaching a server.
    pub(crate) fn wrong_served_files(&self, seal: &Seal) -> Result<Vec<WrongFile>, StoreError> {
        if seal.facts.files.is_empty() {
            return Ok(Vec::new());
        }
        let Folder { owner, location, path, model_file } =
            self.read_as_it_stands(|conn| folder_of(conn, seal))?;
        let mut wrong = Vec::new();
        for (name, sha256) in &seal.facts.files {
            let artifact = joined(&path, name);
            if model_file.as_ref() != Some(&artifact) {
                let (state, _) = hash_at(self, &owner, &location, &artifact, Some(sha256))?;
                let problem = state.problem();
                wrong.extend(problem.map(|problem| WrongFile { path: name.clone(), problem }));
            }
        }
        if !seal.facts.files.contains_key(ML_MODEL) {
            let (state, _) = hash_at(self, &owner, &location, &joined(&path, ML_MODEL), Some(""))?;
            let added = match &state {
                FileState::Altered { path, found } => Some((path, format!("SHA-256 {found}"))),
                FileState::Unreadable { path, problem } => Some((path, problem.clone())),
                FileState::Intact | FileState::Missing { .. } | FileState::Unknown => None,
            };
            wrong.extend(added.map(|(path, what)| WrongFile {
                path: ML_MODEL.to_owned(),
                problem: format!(
                    "at `{}` ({what}) was added later: MLflow would load what it names",
                    path.display()
                ),
            }));
        }
        Ok(wrong)
    }
}

/// The folder with the sealed files of a version.
struct Folder {
    /// The run, or the version if it has none; for messages.
    owner: String,
    /// A recorded location.
    location: String,
    /// The folder's path at the location; empty for the location itself.
    path: String,
    /// The path of the model file at the location.
    model_file: Option<String>,
}

/// The folder of the registered model file; for a version of another program the folder that MLflow serves.
fn folder_of(conn: &Conn, seal: &Seal) -> Result<Folder, StoreError> {
    if let Some(file) = event::registered_file(conn, &seal.key)? {
        let path = file.artifact.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let location = artifacts_of(conn, &file.run_id)?;
        let owner = file.run_id.to_string();
        return Ok(Folder { owner, location, path, model_file: Some(file.artifact) });
    }
    let ServedFolder { location, source, .. } = served_folder(conn, &seal.key)?;
    Ok(Folder {
        owner: seal.run_id.as_ref().map_or_else(|| seal.key.to_string(), ToString::to_string),
        location: location.or(source).unwrap_or_default(),
        path: String::new(),
        model_file: None,
    })
}

/// The lower-case hex SHA-256 of every file below a folder, by its path relative to the folder; none if there is no such
/// folder. Checkpoints and files that are not written completely are left out.
fn hash_folder(
    artifacts: &dyn ArtifactStore,
    folder: &str,
) -> Result<BTreeMap<String, String>, StoreError> {
    let mut hashes = BTreeMap::new();
    let mut open = vec![String::new()];
    while let Some(relative) = open.pop() {
        for entry in artifacts.list(&joined(folder, &relative))? {
            let path = joined(&relative, &entry.name);
            if entry.is_folder {
                open.push(path);
            } else if !is_partial(&entry.name) && !entry.name.ends_with(CHECKPOINT_ENDING) {
                let artifact = joined(folder, &path);
                let mut content = open_existing(artifacts, &artifact, None)?;
                let sha256 = hashing::sha256(&mut *content)
                    .map_err(|source| artifacts.read_error(&artifact, source))?;
                hashes.insert(path, sha256);
            }
        }
    }
    Ok(hashes)
}

fn joined(folder: &str, name: &str) -> String {
    match (folder, name) {
        ("", name) => name.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, name) => format!("{folder}/{name}"),
    }
}
