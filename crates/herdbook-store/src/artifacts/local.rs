//! Artifact files in a folder of this machine: whole and durable before the records mention them.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use crate::artifacts::disk::Disk;
use crate::artifacts::streams::{ArtifactEntry, ArtifactStore, Content, FileStamp};
use crate::clock::new_id;
use crate::error::StoreError;

/// The end of the name of a file that is still being written.
const PART: &str = ".tmp";

/// A folder of this machine as a store of artifacts.
#[derive(Debug)]
pub(crate) struct LocalArtifacts {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
}

impl LocalArtifacts {
    pub(crate) fn new(folder: PathBuf, disk: Arc<dyn Disk>) -> Self {
        Self { folder, disk }
    }
}

/// Whether a name is one of a file that [`ArtifactStore::put`] began and did not finish.
pub(crate) fn is_partial(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(PART)
}

impl ArtifactStore for LocalArtifacts {
    fn put(&self, path: &str, content: &mut (dyn Read + Send)) -> Result<(), StoreError> {
        write_durably(&*self.disk, &self.folder.join(path), content)
    }

    fn open(&self, path: &str, range: Option<Range<u64>>) -> Result<Option<Content>, StoreError> {
        let path = self.folder.join(path);
        let opened = File::open(&path).and_then(|mut file| {
            // A folder opens like a file, and fails only when it is read.
            if file.metadata()?.is_dir() {
                return Err(ErrorKind::IsADirectory.into());
            }
            Ok(match range {
                None => Box::new(file) as Content,
                Some(range) => {
                    file.seek(SeekFrom::Start(range.start))?;
                    Box::new(file.take(range.end.saturating_sub(range.start)))
                }
            })
        });
        match opened {
            Ok(content) => Ok(Some(content)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Artifact { verb: "read", path, source }),
        }
    }

    fn list(&self, folder: &str) -> Result<Vec<ArtifactEntry>, StoreError> {
        let path = self.folder.join(folder);
        let failed = |source| StoreError::Artifact { verb: "list", path: path.clone(), source };
        let found = match fs::read_dir(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            found => found.map_err(failed)?,
        };
        let mut entries = Vec::new();
        for entry in found {
            let entry = entry.map_err(failed)?;
            // The records keep paths as text: no artifact has a name that is not UTF-8.
            let Ok(name) = entry.file_name().into_string() else { continue };
            // It may have been removed since, or be a link that leads nowhere.
            let Ok(metadata) = fs::metadata(entry.path()) else { continue };
            let is_folder = metadata.is_dir();
            let n_bytes = (!is_folder).then(|| metadata.len());
            entries.push(ArtifactEntry { name, n_bytes, is_folder });
        }
        entries.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        Ok(entries)
    }

    fn remove(&self, path: &str) -> Result<(), StoreError> {
        let path = self.folder.join(path);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                Err(StoreError::Artifact { verb: "remove", path, source })
            }
            _ => Ok(()),
        }
    }

    fn stamp(&self, path: &str) -> Option<FileStamp> {
        let metadata = fs::metadata(self.folder.join(path)).ok()?;
        let modified = metadata.modified().ok()?;
        let modified_ns = match modified.duration_since(UNIX_EPOCH) {
            Ok(after) => after.as_nanos() as i128,
            Err(before) => -(before.duration().as_nanos() as i128),
        };
        Some(FileStamp { n_bytes: metadata.len(), modified_ns, identity: identity(&metadata) })
    }

    fn location_of(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    fn local_path(&self, path: &str) -> Option<PathBuf> {
        Some(self.folder.join(path))
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have no such numbers")]
fn identity(metadata: &fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(_metadata: &fs::Metadata) -> Option<(u64, u64)> {
    None
}

/// Writes a file whole: to a temporary name, synced, renamed, and its folder synced.
fn write_durably(
    disk: &dyn Disk,
    path: &Path,
    content: &mut (dyn Read + Send),
) -> Result<(), StoreError> {
    let failed = |verb, path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::Artifact { verb, path, source }
    };
    let folder = path.parent().unwrap_or(Path::new("/"));
    create_folder(disk, folder).map_err(failed("create the folder", folder))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.{}{PART}", new_id()));
    let written = disk
        .write_new(&temporary, content)
        .and_then(|()| disk.sync_file(&temporary))
        .and_then(|()| disk.rename(&temporary, path));
    if let Err(source) = written {
        // Best effort: the error that is reported is the first one.
        let _ = disk.remove(&temporary);
        return Err(failed("write", path)(source));
    }
    disk.sync_folder(folder).map_err(failed("sync the folder", folder))
}

/// Creates a folder and its missing parents, each durable before the next.
fn create_folder(disk: &dyn Disk, folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(parent) = folder.parent() else {
        return Ok(());
    };
    create_folder(disk, parent)?;
    match disk.create_folder(folder) {
        // Another process may have created it meanwhile.
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => disk.sync_folder(parent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifacts::disk::LocalDisk;

    #[test]
    fn file_is_written_whole_into_new_folders_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/model.zip");
        write_durably(&LocalDisk, &path, &mut &b"one"[..]).unwrap();
        write_durably(&LocalDisk, &path, &mut &b"two"[..]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn failure_names_the_file_and_leaves_no_temporary_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.zip");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("in the way"), "").unwrap();
        let error = write_durably(&LocalDisk, &path, &mut &b"one"[..]).unwrap_err();
        assert!(error.to_string().contains("model.zip"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
