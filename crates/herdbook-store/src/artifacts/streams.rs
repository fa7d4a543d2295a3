//! Artifact files as streams: written from a reader, read whole or in part, never held in memory as a whole.

use std::fmt::Debug;
use std::io::Read;
use std::ops::Range;
use std::path::PathBuf;

use crate::error::StoreError;

/// A file's content.
pub type Content = Box<dyn Read + Send>;

/// A file or folder among artifacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactEntry {
    /// Its name in its folder, without the folder's path.
    pub name: String,
    /// Length of a file in bytes; `None` for a folder, and where it is not known.
    pub n_bytes: Option<u64>,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// What identifies an unchanged file without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStamp {
    /// Length in bytes.
    pub n_bytes: u64,
    /// Time of the last change in nanoseconds since the epoch.
    pub modified_ns: i128,
    /// Device and number of the file, where the file system has such numbers.
    pub identity: Option<(u64, u64)>,
}

/// A root below which artifact files lie. Paths are relative to it, with `/` between folders.
pub trait ArtifactStore: Debug + Send + Sync {
    /// Stores a file, replacing one of the same path. When this returns, the file is there whole and survives a power
    /// loss; where it fails, the former file stays.
    ///
    /// # Errors
    /// [`StoreError::Artifact`], and those of a server.
    fn put(&self, path: &str, content: &mut (dyn Read + Send)) -> Result<(), StoreError>;

    /// Opens a file, or a range of its bytes. `None`: there is no such file. A range that begins behind the end is empty.
    ///
    /// # Errors
    /// [`StoreError::Artifact`], and those of a server.
    fn open(&self, path: &str, range: Option<Range<u64>>) -> Result<Option<Content>, StoreError>;

    /// Files and folders in a folder by name, sorted; none where there is no such folder. The root's path is empty.
    ///
    /// # Errors
    /// [`StoreError::Artifact`], and those of a server.
    fn list(&self, folder: &str) -> Result<Vec<ArtifactEntry>, StoreError>;

    /// Removes a file; one that is not there is no error.
    ///
    /// # Errors
    /// [`StoreError::Artifact`], and those of a server.
    fn remove(&self, path: &str) -> Result<(), StoreError>;

    /// What tells without reading it whether a file is still the one it was. `None`: there is no such file, or this
    /// store cannot tell.
    fn stamp(&self, path: &str) -> Option<FileStamp>;

    /// Where a file is, for messages.
    fn location_of(&self, path: &str) -> PathBuf;

    /// The path of a file on this machine, if it is on this machine.
    fn local_path(&self, path: &str) -> Option<PathBuf>;
}
