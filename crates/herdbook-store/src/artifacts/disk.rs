//! The operations by which a file becomes durable. Tests replace them to simulate a power loss.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// A disk, of which only synced changes survive a power loss: [`Disk::sync_file`] syncs the content of a file,
/// [`Disk::sync_folder`] the names in a folder.
pub trait Disk: std::fmt::Debug + Send + Sync {
    /// Creates a new file and writes all of `content` to it.
    ///
    /// # Errors
    /// Those of the file system, also if the file exists; those of reading `content`.
    fn write_new(&self, path: &Path, content: &mut dyn Read) -> io::Result<()>;

    /// Makes the content of a file durable.
    ///
    /// # Errors
    /// Those of the file system.
    fn sync_file(&self, path: &Path) -> io::Result<()>;

    /// Renames a file, replacing one that has the new name.
    ///
    /// # Errors
    /// Those of the file system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Those of the file system.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Creates a folder in an existing one.
    ///
    /// # Errors
    /// Those of the file system.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// Those of the file system.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
}

/// The disks of this machine.
#[derive(Debug)]
pub(crate) struct LocalDisk;

impl Disk for LocalDisk {
    fn write_new(&self, path: &Path, content: &mut dyn Read) -> io::Result<()> {
        io::copy(content, &mut File::create_new(path)?).map(drop)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}
