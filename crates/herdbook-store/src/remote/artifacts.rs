//! Artifact files of a server: behind its proxy, or in a folder that this machine shares with it.

use std::path::PathBuf;
use std::sync::PoisonError;

use herdbook_domain::RunId;

use super::Remote;
use super::api::artifact_endpoint;
use crate::StoreError;
use crate::experiment::local_folder;

/// Where the artifacts of an experiment or a run lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Artifacts {
    /// Behind the server's proxy, below this path.
    Proxy(String),
    /// In a folder of this machine.
    Folder(PathBuf),
}

impl Artifacts {
    /// What an artifact location means for a client of the server at `base`.
    fn at(location: &str, base: &str) -> Option<Self> {
        let proxied = format!("{base}/api/2.0/mlflow-artifacts/artifacts");
        let path = match location.strip_prefix("mlflow-artifacts:") {
            // With a host, only where it is the server itself.
            Some(rest) => match rest.strip_prefix("//") {
                Some(with_host) => {
                    let (host, path) = with_host.split_once('/')?;
                    (base.split_once("://")?.1.split('/').next()? == host || host.is_empty())
                        .then_some(path)
                }
                None => Some(rest),
            },
            None => location.strip_prefix(&proxied),
        };
        match path {
            Some(path) => Some(Self::Proxy(path.trim_matches('/').to_owned())),
            None => local_folder(location).map(Self::Folder),
        }
    }
}

impl Remote {
    /// What a location of artifacts means here.
    ///
    /// # Errors
    /// [`StoreError::ForeignArtifacts`] for stores that only the server, or other programs, can reach.
    pub(crate) fn artifacts_at(
        &self,
        owner: &str,
        location: &str,
    ) -> Result<Artifacts, StoreError> {
        Artifacts::at(location, self.uri()).ok_or_else(|| StoreError::ForeignArtifacts {
            name: owner.to_owned(),
            location: location.to_owned(),
        })
    }

    /// Where a run's artifacts lie. That never changes, so a server is asked once.
    pub(crate) fn artifacts_of_run(&self, run_id: &RunId) -> Result<Artifacts, StoreError> {
        let mut known = self.artifacts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(artifacts) = known.get(run_id.as_str()) {
            return Ok(artifacts.clone());
        }
        let run = self
            .client
            .run(run_id.as_str())?
            .ok_or_else(|| StoreError::NoSuchRun { run_id: run_id.clone() })?;
        let artifacts = self.artifacts_at(run_id.as_str(), &run.info.artifact_uri)?;
        known.insert(run_id.to_string(), artifacts.clone());
        Ok(artifacts)
    }

    /// Stores a file; it is there whole or not at all.
    pub(crate) fn put(&self, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.client.upload(&artifact_endpoint(path), bytes)
    }

    /// Reads a file; `None` where there is none.
    pub(crate) fn fetch(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self.client.download(&artifact_endpoint(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StoreError::ServerRefused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The names of the files in a folder, sorted; none where there is no such folder.
    pub(crate) fn names(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let files = self.client.list_artifacts(folder)?;
        let mut names: Vec<String> = files
            .into_iter()
            .filter(|file| !file.is_dir)
            .filter_map(|file| file.path.rsplit('/').next().map(ToOwned::to_owned))
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Removes a file; one that is not there is no error.
    pub(crate) fn remove(&self, path: &str) -> Result<(), StoreError> {
        self.client.delete_artifact(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxied_locations_and_folders_are_told_apart() {
        let at = |location| Artifacts::at(location, "http://h:5000/sub");
        let proxy = |path: &str| Some(Artifacts::Proxy(path.to_owned()));
        assert_eq!(at("mlflow-artifacts:/1/r/artifacts"), proxy("1/r/artifacts"));
        assert_eq!(at("mlflow-artifacts://h:5000/1"), proxy("1"));
        assert_eq!(at("http://h:5000/sub/api/2.0/mlflow-artifacts/artifacts/1"), proxy("1"));
        assert_eq!(at("/srv/mlruns/1"), Some(Artifacts::Folder(PathBuf::from("/srv/mlruns/1"))));
        assert_eq!(at("s3://bucket/1"), None);
        assert_eq!(at("mlflow-artifacts://other/1"), None);
    }
}
