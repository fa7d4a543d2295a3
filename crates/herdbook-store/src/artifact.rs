//! Artifact files on local disk: whole and on the disk before anything in the records speaks of them.

use std::fs;
use std::path::{Path, PathBuf};

use herdbook_domain::{RunId, hex_sha256};

use crate::disk::Disk;
use crate::experiment::local_folder;
use crate::remote::{Artifacts, Remote};
use crate::store::new_id;
use crate::{Store, StoreError, run};

/// How the name of a file ends that is being written.
const HALF: &str = ".tmp";

impl Store {
    /// Stores a file among a run's artifacts and answers its lower-case hex SHA-256. When this returns, the
    /// file is on the disk under its name, whole, and stays there after a power loss.
    pub fn store_artifact(
        &self,
        run_id: &RunId,
        artifact: &str,
        bytes: &[u8],
    ) -> Result<String, StoreError> {
        match self.artifact_place(run_id, artifact)? {
            Place::Server(remote, path) => remote.put(&path, bytes)?,
            Place::Disk(path) => write_durably(self.disk(), &path, bytes)?,
        }
        Ok(hex_sha256(bytes))
    }

    /// Makes the folder of an artifact to come, and shows that it can be written to.
    pub fn prepare_artifact(&self, run_id: &RunId, artifact: &str) -> Result<(), StoreError> {
        let path = match self.artifact_place(run_id, artifact)? {
            Place::Server(remote, path) => {
                let probe = format!("{path}.probe");
                remote.put(&probe, b"")?;
                return remote.remove(&probe);
            }
            Place::Disk(path) => path,
        };
        let probe = path.with_extension("probe");
        write_durably(self.disk(), &probe, b"")?;
        fs::remove_file(&probe).map_err(|source| StoreError::Artifact {
            verb: "remove",
            path: probe,
            source,
        })
    }

    /// Reads a file among a run's artifacts.
    pub fn read_artifact(&self, run_id: &RunId, artifact: &str) -> Result<Vec<u8>, StoreError> {
        let path = match self.artifact_place(run_id, artifact)? {
            Place::Server(remote, path) => {
                return remote.fetch(&path)?.ok_or_else(|| StoreError::Artifact {
                    verb: "read",
                    path: PathBuf::from(path),
                    source: std::io::ErrorKind::NotFound.into(),
                });
            }
            Place::Disk(path) => path,
        };
        fs::read(&path).map_err(|source| StoreError::Artifact { verb: "read", path, source })
    }

    /// The names of the files in a folder among a run's artifacts, sorted; none where there is no such folder.
    pub fn artifact_names(&self, run_id: &RunId, folder: &str) -> Result<Vec<String>, StoreError> {
        let path = match self.artifact_place(run_id, folder)? {
            Place::Server(remote, path) => return remote.names(&path),
            Place::Disk(path) => path,
        };
        let entries = match fs::read_dir(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|source| StoreError::Artifact { verb: "list", path, source })?,
        };
        let names = entries.iter().filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Removes a file among a run's artifacts; one that is not there is no error.
    pub fn remove_artifact(&self, run_id: &RunId, artifact: &str) -> Result<(), StoreError> {
        let path = match self.artifact_place(run_id, artifact)? {
            Place::Server(remote, path) => return remote.remove(&path),
            Place::Disk(path) => path,
        };
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(StoreError::Artifact { verb: "remove", path, source })
            }
            _ => Ok(()),
        }
    }

    /// Removes files of a folder among a run's artifacts that were never written to their end: by their names, which
    /// only [`Store::store_artifact`] gives.
    pub fn remove_halves(&self, run_id: &RunId, folder: &str) -> Result<(), StoreError> {
        for name in self.artifact_names(run_id, folder)? {
            if name.starts_with('.') && name.ends_with(HALF) {
                self.remove_artifact(run_id, &format!("{folder}/{name}"))?;
            }
        }
        Ok(())
    }

    /// Where a file among a run's artifacts lies on this machine.
    ///
    /// # Errors
    /// [`StoreError::ForeignArtifacts`] where it lies behind a server.
    pub fn artifact_path(&self, run_id: &RunId, artifact: &str) -> Result<PathBuf, StoreError> {
        match self.artifact_place(run_id, artifact)? {
            Place::Disk(path) => Ok(path),
            Place::Server(_, location) => {
                Err(StoreError::ForeignArtifacts { name: run_id.to_string(), location })
            }
        }
    }

    /// Where a file among a run's artifacts lies.
    fn artifact_place(&self, run_id: &RunId, artifact: &str) -> Result<Place<'_>, StoreError> {
        if let Some(remote) = self.remote() {
            return Ok(match remote.artifacts_of_run(run_id)? {
                Artifacts::Proxy(folder) => Place::Server(remote, format!("{folder}/{artifact}")),
                Artifacts::Folder(folder) => Place::Disk(folder.join(artifact)),
            });
        }
        let uri = self.read(|conn| run::artifact_uri(conn, run_id))?;
        let folder = local_folder(&uri).ok_or_else(|| StoreError::ForeignArtifacts {
            name: run_id.to_string(),
            location: uri.clone(),
        })?;
        Ok(Place::Disk(folder.join(artifact)))
    }
}

/// Where a file lies.
enum Place<'a> {
    Disk(PathBuf),
    /// Behind a server's proxy, at a path there.
    Server(&'a Remote, String),
}

fn write_durably(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let failed = |verb, path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::Artifact { verb, path, source }
    };
    let folder = path.parent().unwrap_or(Path::new("/"));
    create_folder(disk, folder).map_err(failed("create the folder", folder))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.{}{HALF}", new_id()));
    let written = disk
        .write_new(&temporary, bytes)
        .and_then(|()| disk.sync_file(&temporary))
        .and_then(|()| disk.rename(&temporary, path));
    if let Err(source) = written {
        // Best effort: the error that is reported is the first one.
        let _ = disk.remove(&temporary);
        return Err(failed("write", path)(source));
    }
    disk.sync_folder(folder).map_err(failed("sync the folder", folder))
}

/// Makes a folder and its missing parents, each entry on the disk before the next.
fn create_folder(disk: &dyn Disk, folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(parent) = folder.parent() else {
        return Ok(());
    };
    create_folder(disk, parent)?;
    match disk.create_folder(folder) {
        // Another process may have been faster.
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => disk.sync_folder(parent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::LocalDisk;

    #[test]
    fn file_is_written_whole_into_new_folders_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/model.zip");
        write_durably(&LocalDisk, &path, b"one").unwrap();
        write_durably(&LocalDisk, &path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn failure_names_the_file_and_leaves_no_temporary_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.zip");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("in the way"), "").unwrap();
        let error = write_durably(&LocalDisk, &path, b"one").unwrap_err();
        assert!(error.to_string().contains("model.zip"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
