//! The steps by which a file becomes durable on a disk: the seam at which tests simulate a power loss.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// A disk that keeps for certain only what was synced: the content of a file by [`Disk::sync_file`], names and
/// folders by [`Disk::sync_folder`] of the folder they are in.
pub trait Disk: std::fmt::Debug + Send + Sync {
    /// Creates a file that is not there yet, and writes all of `content` to it.
    ///
    /// # Errors
    /// Those of the file system and those of reading `content`; so for the other steps.
    fn write_new(&self, path: &Path, content: &mut dyn Read) -> io::Result<()>;
    /// Puts a file's content on the disk.
    fn sync_file(&self, path: &Path) -> io::Result<()>;
    /// Renames a file, replacing one that has the new name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Creates a folder in one that is there.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Puts the names in a folder on the disk.
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
