//! Artifact files of runs, written and read as streams.

use std::io::Read;
use std::ops::Range;
use std::path::PathBuf;

use herdbook_domain::{RunId, hex_sha256};

use crate::artifacts::hashing::Hashing;
use crate::artifacts::local::is_partial;
use crate::artifacts::regular::{LARGEST_IN_MEMORY, read_up_to};
use crate::artifacts::streams::{ArtifactEntry, ArtifactStore, Content};
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::run;

impl Store {
    /// The artifacts of a run.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`]; [`StoreError::ForeignArtifacts`] if they cannot be reached from this machine.
    pub fn artifacts(&self, run_id: &RunId) -> Result<Box<dyn ArtifactStore>, StoreError> {
        let uri = self.read_run(run_id, |conn| run::artifact_uri(conn, run_id))?;
        self.artifacts_at(run_id.as_str(), &uri)
    }

    /// Stores a file among a run's artifacts from a stream and returns its lower-case hex SHA-256. When this returns, the
    /// file is complete and survives a power loss.
    ///
    /// # Errors
    /// As [`Store::artifacts`]; [`StoreError::Artifact`], also if `content` cannot be read.
    pub fn store_artifact_from(
        &self,
        run_id: &RunId,
        artifact: &str,
        content: &mut (dyn Read + Send),
    ) -> Result<String, StoreError> {
        let mut hashing = Hashing::new(content);
        self.artifacts(run_id)?.put(artifact, &mut hashing)?;
        Ok(hashing.finish())
    }

    /// As [`Store::store_artifact_from`], for bytes in memory.
    ///
    /// # Errors
    /// As [`Store::store_artifact_from`].
    pub fn store_artifact(
        &self,
        run_id: &RunId,
        artifact: &str,
        mut bytes: &[u8],
    ) -> Result<String, StoreError> {
        let sha256 = hex_sha256(bytes);
        self.artifacts(run_id)?.put(artifact, &mut bytes)?;
        Ok(sha256)
    }

    /// Checks that an artifact can be written later: creates its folder, and a file in it that is removed again.
    ///
    /// # Errors
    /// As [`Store::store_artifact_from`].
    pub fn prepare_artifact(&self, run_id: &RunId, artifact: &str) -> Result<(), StoreError> {
        let artifacts = self.artifacts(run_id)?;
        let probe = format!("{artifact}.probe");
        artifacts.put(&probe, &mut &b""[..])?;
        artifacts.remove(&probe)
    }

    /// Opens a file among a run's artifacts, or a range of its bytes.
    ///
    /// # Errors
    /// As [`Store::artifacts`]; [`StoreError::Artifact`] if there is no such file or it cannot be read.
    pub fn open_artifact(
        &self,
        run_id: &RunId,
        artifact: &str,
        range: Option<Range<u64>>,
    ) -> Result<Content, StoreError> {
        open_existing(&*self.artifacts(run_id)?, artifact, range)
    }

    /// Reads a file among a run's artifacts into memory: at most 1 GiB. For large files use [`Store::open_artifact`].
    ///
    /// # Errors
    /// As [`Store::open_artifact`]; [`StoreError::Artifact`] if the file is larger.
    pub fn read_artifact(&self, run_id: &RunId, artifact: &str) -> Result<Vec<u8>, StoreError> {
        let artifacts = self.artifacts(run_id)?;
        let mut content = open_existing(&*artifacts, artifact, None)?;
        read_up_to(&mut *content, LARGEST_IN_MEMORY)
            .map_err(|source| artifacts.read_error(artifact, source))
    }

    /// Files and folders in a folder among a run's artifacts, sorted by name; none if there is no such folder.
    ///
    /// # Errors
    /// As [`Store::artifacts`]; [`StoreError::Artifact`].
    pub fn list_artifacts(
        &self,
        run_id: &RunId,
        folder: &str,
    ) -> Result<Vec<ArtifactEntry>, StoreError> {
        self.artifacts(run_id)?.list(folder)
    }

    /// The names of the files in a folder among a run's artifacts, sorted; none if there is no such folder.
    ///
    /// # Errors
    /// As [`Store::list_artifacts`].
    pub fn artifact_names(&self, run_id: &RunId, folder: &str) -> Result<Vec<String>, StoreError> {
        let files = self.list_artifacts(run_id, folder)?.into_iter().filter(|it| !it.is_folder);
        Ok(files.map(|file| file.name).collect())
    }

    /// Removes a file among a run's artifacts, if it exists.
    ///
    /// # Errors
    /// As [`Store::artifacts`]; [`StoreError::Artifact`].
    pub fn remove_artifact(&self, run_id: &RunId, artifact: &str) -> Result<(), StoreError> {
        self.artifacts(run_id)?.remove(artifact)
    }

    /// Removes the files in a folder among a run's artifacts that [`Store::store_artifact_from`] did not finish writing.
    ///
    /// # Errors
    /// As [`Store::remove_artifact`].
    pub fn remove_partial_artifacts(&self, run_id: &RunId, folder: &str) -> Result<(), StoreError> {
        for name in self.artifact_names(run_id, folder)?.iter().filter(|name| is_partial(name)) {
            self.remove_artifact(run_id, &format!("{folder}/{name}"))?;
        }
        Ok(())
    }

    /// The path of a file among a run's artifacts on this machine. The file need not exist.
    ///
    /// # Errors
    /// As [`Store::artifacts`]; [`StoreError::ForeignArtifacts`] if the artifacts are behind a server.
    pub fn artifact_path(&self, run_id: &RunId, artifact: &str) -> Result<PathBuf, StoreError> {
        let artifacts = self.artifacts(run_id)?;
        artifacts.local_path(artifact).ok_or_else(|| StoreError::ForeignArtifacts {
            name: run_id.to_string(),
            location: artifacts.location_of(artifact).display().to_string(),
        })
    }
}

/// Opens a file, or a range of its bytes, and fails if there is no such file.
pub(crate) fn open_existing(
    artifacts: &dyn ArtifactStore,
    artifact: &str,
    range: Option<Range<u64>>,
) -> Result<Content, StoreError> {
    artifacts.open(artifact, range)?.ok_or_else(|| StoreError::Artifact {
        verb: "read",
        path: artifacts.location_of(artifact),
        source: std::io::ErrorKind::NotFound.into(),
    })
}
