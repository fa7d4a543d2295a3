//! What a durable file asks of a disk, step by step: the seam at which tests take the power away.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// A disk that keeps for certain only what was synced: the content of a file by [`Disk::sync_file`], names and
/// folders by [`Disk::sync_folder`] of the folder they are in.
pub trait Disk: std::fmt::Debug + Send + Sync {
    /// Makes a file that is not there yet, with this content.
    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Puts a file's content on the disk.
    fn sync_file(&self, path: &Path) -> io::Result<()>;
    /// Gives a file another name, in the place of one that has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes a folder in one that is there.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Puts the names in a folder on the disk.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
}

/// The disks of this machine.
#[derive(Debug)]
pub(crate) struct LocalDisk;

impl Disk for LocalDisk {
    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        File::create_new(path)?.write_all(bytes)
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
