//! Artifacts of a server: behind its proxy, or in a folder that this machine shares with it.

use std::io::Read;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use herdbook_store::artifacts::place::{ArtifactPlace, local_folder};
use herdbook_store::{ArtifactEntry, ArtifactStore, Content, FileStamp, StoreError};

use crate::client::Client;
use crate::client::runs::artifact_endpoint;
use crate::remote::Remote;

/// Files of at least this many bytes are copied to disk while they are sent, so that a broken upload can be retried.
const IN_MEMORY: usize = 8 << 20;

/// The place of the artifacts of an experiment or a run.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Located {
    /// Behind the server's proxy, below this path.
    Proxy(String),
    /// In a folder of this machine.
    Folder(PathBuf),
}

impl Located {
    /// The place that an artifact location names for a client of the server at `base`.
    fn at(location: &str, base: &str) -> Option<Self> {
        let proxied = format!("{base}/api/2.0/mlflow-artifacts/artifacts");
        let path = match location.strip_prefix("mlflow-artifacts:") {
            // A host in the location must be the server itself.
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
    /// The artifacts at a location in the records. `owner` names the run or experiment in an error.
    ///
    /// # Errors
    /// [`StoreError::ForeignArtifacts`] for locations that only the server or other programs can reach.
    pub(crate) fn place_of_artifacts(
        &self,
        owner: &str,
        location: &str,
    ) -> Result<ArtifactPlace, StoreError> {
        match Located::at(location, self.uri()) {
            Some(Located::Folder(folder)) => Ok(ArtifactPlace::Folder(folder)),
            Some(Located::Proxy(folder)) => {
                let client = Arc::clone(&self.client);
                Ok(ArtifactPlace::Elsewhere(Box::new(ProxiedArtifacts { client, folder })))
            }
            None => Err(StoreError::ForeignArtifacts {
                name: owner.to_owned(),
                location: location.to_owned(),
            }),
        }
    }
}

/// Artifacts behind a server's proxy.
#[derive(Debug)]
struct ProxiedArtifacts {
    client: Arc<Client>,
    /// Their path at the proxy.
    folder: String,
}

impl ProxiedArtifacts {
    fn path(&self, path: &str) -> String {
        if path.is_empty() { self.folder.clone() } else { format!("{}/{path}", self.folder) }
    }

    fn endpoint(&self, path: &str) -> String {
        artifact_endpoint(&self.path(path))
    }
}

impl ArtifactStore for ProxiedArtifacts {
    fn put(&self, path: &str, content: &mut (dyn Read + Send)) -> Result<(), StoreError> {
        let failed =
            |source| StoreError::Artifact { verb: "store", path: self.location_of(path), source };
        let mut start = Vec::new();
        content.take(IN_MEMORY as u64).read_to_end(&mut start).map_err(failed)?;
        if start.len() < IN_MEMORY {
            return self.client.upload(&self.endpoint(path), &start);
        }
        let mut file = tempfile::tempfile().map_err(failed)?;
        std::io::copy(&mut start.as_slice().chain(content), &mut file).map_err(failed)?;
        drop(start);
        self.client.upload_file(&self.endpoint(path), &file)
    }

    fn open(&self, path: &str, range: Option<Range<u64>>) -> Result<Option<Content>, StoreError> {
        match self.client.open(&self.endpoint(path), range) {
            Ok(content) => Ok(Some(content)),
            Err(StoreError::ServerRefused { status: 404, .. }) => Ok(None),
            // The range starts after the end.
            Err(StoreError::ServerRefused { status: 416, .. }) => {
                Ok(Some(Box::new(std::io::empty())))
            }
            Err(error) => Err(error),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<ArtifactEntry>, StoreError> {
        let files = self.client.list_artifacts(&self.path(folder))?;
        let entries = files.into_iter().filter_map(|file| {
            let name = file.path.rsplit('/').next()?.to_owned();
            let n_bytes = if file.is_dir { None } else { file.file_size };
            Some(ArtifactEntry { name, n_bytes, is_folder: file.is_dir })
        });
        let mut entries: Vec<ArtifactEntry> = entries.collect();
        entries.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(entries)
    }

    fn remove(&self, path: &str) -> Result<(), StoreError> {
        self.client.delete_artifact(&self.path(path))
    }

    /// `None`: a server sends no attributes by which a change could be recognised.
    fn stamp(&self, _path: &str) -> Option<FileStamp> {
        None
    }

    fn location_of(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("mlflow-artifacts:/{}", self.path(path)))
    }

    fn local_path(&self, _path: &str) -> Option<PathBuf> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxied_locations_and_folders_are_told_apart() {
        let at = |location| Located::at(location, "http://h:5000/sub");
        let proxy = |path: &str| Some(Located::Proxy(path.to_owned()));
        assert_eq!(at("mlflow-artifacts:/1/r/artifacts"), proxy("1/r/artifacts"));
        assert_eq!(at("mlflow-artifacts://h:5000/1"), proxy("1"));
        assert_eq!(at("http://h:5000/sub/api/2.0/mlflow-artifacts/artifacts/1"), proxy("1"));
        assert_eq!(at("/srv/mlruns/1"), Some(Located::Folder(PathBuf::from("/srv/mlruns/1"))));
        assert_eq!(at("s3://bucket/1"), None);
        assert_eq!(at("mlflow-artifacts://other/1"), None);
    }
}
