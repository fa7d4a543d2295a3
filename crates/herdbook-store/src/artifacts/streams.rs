//! The interface of artifact stores: files are written from a reader and read as streams, so that memory use does not
//! depend on their size.

use std::fmt::Debug;
use std::io::Read;
use std::ops::Range;
use std::path::PathBuf;

use crate::error::StoreError;

/// The content of a file, read as a stream.
pub type Content = Box<dyn Read + Send>;

/// A file or folder in a listing of artifacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactEntry {
    /// Its name in its folder, without the folder's path.
    pub name: String,
    /// Length of the file in bytes; `None` for a folder, or if the length is unknown.
    pub n_bytes: Option<u64>,
    /// Whether it is a folder.
    pub is_folder: bool,
}

/// Attributes by which a changed or replaced file is recognised without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileStamp {
    /// Length in bytes.
    pub n_bytes: u64,
    /// Time of the last change of content or attributes, in nanoseconds since the Unix epoch. Where the system does not
    /// keep it: of the last change of content.
    pub changed_ns: i128,
    /// Device and inode number, if the system has them.
    pub identity: Option<(u64, u64)>,
}

/// The artifacts below one root, for example those of a run. Paths are relative to the root, with `/` between folders.
pub trait ArtifactStore: Debug + Send + Sync {
    /// Stores a file, replacing one at the same path. When this returns, the file is complete and survives a power loss.
    /// If it fails, an earlier file at this path is unchanged.
    ///
    /// # Errors
    /// [`StoreError::Artifact`], also if `content` cannot be read; errors of the server, if there is one.
    fn put(&self, path: &str, content: &mut (dyn Read + Send)) -> Result<(), StoreError>;

    /// Opens a file, or a range of its bytes; `None` if there is no such file. A range that starts after the end of the
    /// file is empty, and one that ends after it is cut.
    ///
    /// # Errors
    /// [`StoreError::Artifact`]; errors of the server, if there is one.
    fn open(&self, path: &str, range: Option<Range<u64>>) -> Result<Option<Content>, StoreError>;

    /// Files and folders in a folder, sorted by name; none if there is no such folder. The root's path is empty.
    ///
    /// # Errors
    /// [`StoreError::Artifact`]; errors of the server, if there is one.
    fn list(&self, folder: &str) -> Result<Vec<ArtifactEntry>, StoreError>;

    /// Removes a file, if it exists.
    ///
    /// # Errors
    /// [`StoreError::Artifact`]; errors of the server, if there is one.
    fn remove(&self, path: &str) -> Result<(), StoreError>;

    /// The attributes by which a change of the file is recognised; `None` if there is no such file, or if this store has
    /// no such attributes.
    fn stamp(&self, path: &str) -> Option<FileStamp>;

    /// The error of a file whose content could not be read to its end: [`StoreError::Artifact`], or
    /// [`StoreError::Unreachable`] if the file is not on this machine, so that the read may be repeated.
    fn read_error(&self, path: &str, source: std::io::Error) -> StoreError {
        match self.local_path(path) {
            Some(path) => StoreError::Artifact { verb: "read", path, source },
            None => StoreError::Unreachable {
                store: self.location_of(path).display().to_string(),
                problem: format!("the file could not be read to its end ({source})"),
            },
        }
    }

    /// The location of a file, for messages.
    fn location_of(&self, path: &str) -> PathBuf;

    /// The path of a file, if this store is a folder of this machine.
    fn local_path(&self, path: &str) -> Option<PathBuf>;
}
