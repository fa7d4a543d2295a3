//! Artifacts in a folder of this machine. A file is complete and durable before the records mention it.

use std::fs;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::artifacts::disk::Disk;
use crate::artifacts::regular::open_regular;
use crate::artifacts::streams::{ArtifactEntry, ArtifactStore, Content, FileStamp};
use crate::clock::new_id;
use crate::error::StoreError;

/// Suffix of the name of a file that is still being written.
const PART: &str = ".tmp";
/// Characters of a file's name that its temporary name shows.
const SHOWN_CHARACTERS: usize = 48;

/// Artifacts in a folder of this machine.
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

/// Whether a file is one that [`ArtifactStore::put`] did not finish writing.
pub(crate) fn is_partial(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(PART)
}

impl ArtifactStore for LocalArtifacts {
    fn put(&self, path: &str, content: &mut (dyn Read + Send)) -> Result<(), StoreError> {
        write_durably(&*self.disk, &self.folder.join(path), content)
    }

    fn open(&self, path: &str, range: Option<Range<u64>>) -> Result<Option<Content>, StoreError> {
        let path = self.folder.join(path);
        let opened = open_regular(&path).and_then(|mut file| {
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
            // The records keep paths as text, so a file whose name is not UTF-8 is not an artifact.
            let Ok(name) = entry.file_name().into_string() else { continue };
            // The file may have been removed since, or be a dangling link.
            let Ok(metadata) = fs::metadata(entry.path()) else { continue };
            let is_folder = metadata.is_dir();
            let n_bytes = (!is_folder).then_some(metadata.len());
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
        Some(FileStamp {
            n_bytes: metadata.len(),
            changed_ns: changed_ns(&metadata)?,
            identity: identity(&metadata),
        })
    }

    fn location_of(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    fn local_path(&self, path: &str) -> Option<PathBuf> {
        Some(self.folder.join(path))
    }
}

/// The time of the last change of content or attributes. Unlike the time of the last modification, no program can set it.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "not every file system of other systems has times")]
fn changed_ns(metadata: &fs::Metadata) -> Option<i128> {
    use std::os::unix::fs::MetadataExt;
    Some(i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec()))
}

#[cfg(not(unix))]
fn changed_ns(metadata: &fs::Metadata) -> Option<i128> {
    Some(match metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH) {
        Ok(after) => after.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    })
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

/// Writes a file under a temporary name, syncs it, renames it, and syncs its folder.
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
    // A name has at most 255 bytes, and the temporary one must fit, too.
    let shown: String = name.chars().take(SHOWN_CHARACTERS).collect();
    let temporary = folder.join(format!(".{shown}.{}{PART}", new_id()));
    let written = disk
        .write_new(&temporary, content)
        .and_then(|()| disk.sync_file(&temporary))
        .and_then(|()| disk.rename(&temporary, path));
    if let Err(source) = written {
        // Best effort: the first error is the one to report.
        let _ = disk.remove(&temporary);
        return Err(failed("write", path)(source));
    }
    disk.sync_folder(folder).map_err(failed("sync the folder", folder))
}

/// Creates a folder and its missing parents. Each is durable before the next is created.
fn create_folder(disk: &dyn Disk, folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let Some(parent) = folder.parent() else {
        return Ok(());
    };
    create_folder(disk, parent)?;
    match disk.create_folder(folder) {
        // Another process may have created the folder in the meantime.
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => disk.sync_folder(parent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifacts::disk::LocalDisk;

    #[test]
    fn file_is_written_into_new_folders_and_no_temporary_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/model.zip");
        write_durably(&LocalDisk, &path, &mut &b"one"[..]).unwrap();
        write_durably(&LocalDisk, &path, &mut &b"two"[..]).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn file_may_have_the_longest_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a".repeat(255), "ä".repeat(127)] {
            write_durably(&LocalDisk, &folder.path().join(&name), &mut &b"one"[..]).unwrap();
            assert_eq!(fs::read(folder.path().join(name)).unwrap(), b"one");
        }
    }

    fn artifacts() -> (tempfile::TempDir, LocalArtifacts) {
        let folder = tempfile::tempdir().unwrap();
        let artifacts = LocalArtifacts::new(folder.path().to_owned(), Arc::new(LocalDisk));
        (folder, artifacts)
    }

    struct Failing;

    impl Read for Failing {
        fn read(&mut self, _buffer: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the source is gone"))
        }
    }

    fn read(content: Option<Content>) -> Option<Vec<u8>> {
        content.map(|mut content| {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes).unwrap();
            bytes
        })
    }

    #[test]
    fn ranges_are_cut_at_the_end_of_the_file() {
        let (_folder, artifacts) = artifacts();
        artifacts.put("a/b", &mut &b"0123456789"[..]).unwrap();
        let part = |range| read(artifacts.open("a/b", range).unwrap()).unwrap();
        assert_eq!(part(None), b"0123456789");
        assert_eq!(part(Some(2..5)), b"234");
        assert_eq!(part(Some(8..100)), b"89");
        assert_eq!(part(Some(10..11)), b"");
        assert_eq!(part(Some(1_000..2_000)), b"");
        #[expect(clippy::reversed_empty_ranges, reason = "a caller may compute one")]
        let reversed = part(Some(5..2));
        assert_eq!(reversed, b"");
        assert!(artifacts.open("a/c", Some(0..1)).unwrap().is_none());
        assert!(artifacts.open("a", None).is_err(), "a folder has no content");
    }

    #[test]
    fn listing_has_files_with_lengths_and_folders_sorted_by_name() {
        let (folder, artifacts) = artifacts();
        for (path, content) in [("b.txt", "xy"), ("a/c.txt", ""), ("B.txt", "x")] {
            artifacts.put(path, &mut content.as_bytes()).unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink("nowhere", folder.path().join("dangling")).unwrap();
        let entries = artifacts.list("").unwrap();
        let found: Vec<_> = entries.iter().map(|it| (it.name.as_str(), it.n_bytes)).collect();
        assert_eq!(found, [("B.txt", Some(1)), ("a", None), ("b.txt", Some(2))]);
        assert!(entries[1].is_folder && !entries[0].is_folder);
        assert_eq!(artifacts.list("missing").unwrap(), []);
        assert!(artifacts.list("b.txt").is_err(), "a file has no entries");
        drop(folder);
    }

    #[test]
    fn stamp_changes_with_content_and_file_and_is_none_without_one() {
        let (folder, artifacts) = artifacts();
        assert_eq!(artifacts.stamp("f"), None);
        artifacts.put("f", &mut &b"one"[..]).unwrap();
        let first = artifacts.stamp("f");
        assert_eq!(artifacts.stamp("f"), first);
        artifacts.put("f", &mut &b"one"[..]).unwrap();
        let second = artifacts.stamp("f");
        assert!(second.is_some() && second != first, "another file of the same content");
        fs::write(folder.path().join("f"), "longer").unwrap();
        assert_ne!(artifacts.stamp("f"), second);
        artifacts.remove("f").unwrap();
        artifacts.remove("f").unwrap();
        assert_eq!(artifacts.stamp("f"), None);
    }

    #[test]
    fn content_that_fails_half_way_leaves_the_former_file() {
        let (folder, artifacts) = artifacts();
        artifacts.put("f", &mut &b"former"[..]).unwrap();
        let error = artifacts.put("f", &mut (&b"half"[..]).chain(Failing)).unwrap_err();
        assert!(error.to_string().contains("the source is gone"), "{error}");
        assert_eq!(read(artifacts.open("f", None).unwrap()).unwrap(), b"former");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
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
