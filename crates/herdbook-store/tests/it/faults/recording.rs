//! Records the changes to the files of a folder step by step, and makes chosen steps fail.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use herdbook_store::Disk;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    /// Create an empty file.
    Create,
    Write {
        offset: usize,
        bytes: Vec<u8>,
    },
    Truncate(usize),
    /// Sync the content of a file.
    Sync,
    /// Rename a file, replacing one of that name.
    RenameTo(PathBuf),
    Remove,
    CreateFolder,
    /// Sync the names in a folder.
    SyncFolder,
    /// A command has returned without an error.
    Acknowledged,
}

/// How a step fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// With an input/output error.
    Error,
    /// With a full disk.
    Full,
}

impl Fault {
    /// The error code of SQLite.
    pub(crate) fn or(self, code: i32) -> i32 {
        match self {
            Self::Error => code,
            Self::Full => rusqlite::ffi::SQLITE_FULL,
        }
    }
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Error => Self::other("injected"),
            Fault::Full => io::ErrorKind::StorageFull.into(),
        }
    }
}

/// Which steps fail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Plan {
    /// None.
    #[default]
    Sound,
    /// The step of this number, from 0.
    At(usize, Fault),
    /// This step and all later ones.
    From(usize, Fault),
}

/// The recorded steps in one folder.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    folder: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    ops: Vec<(PathBuf, Op)>,
    plan: Plan,
    failed: usize,
}

static RECORDINGS: Mutex<BTreeMap<PathBuf, Arc<Recording>>> = Mutex::new(BTreeMap::new());

/// The active recording of the folder that contains a path, if there is one.
pub(crate) fn recording_of(path: &Path) -> Option<Arc<Recording>> {
    let recordings = RECORDINGS.lock().unwrap_or_else(PoisonError::into_inner);
    recordings.iter().find(|(folder, _)| path.starts_with(folder)).map(|(_, r)| Arc::clone(r))
}

impl Recording {
    /// Begins to record the changes in a folder.
    pub(crate) fn of(folder: &Path, plan: Plan) -> Arc<Self> {
        super::vfs::install();
        let inner = Mutex::new(Inner { plan, ..Inner::default() });
        let recording = Arc::new(Self { folder: folder.to_owned(), inner });
        let mut recordings = RECORDINGS.lock().unwrap_or_else(PoisonError::into_inner);
        recordings.insert(folder.to_owned(), Arc::clone(&recording));
        recording
    }

    /// Ends the recording. Returns the steps, each with its path in the folder.
    pub(crate) fn end(&self) -> Vec<(PathBuf, Op)> {
        RECORDINGS.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.folder);
        std::mem::take(&mut self.lock().ops)
    }

    /// Records a step before it is done, or makes it fail.
    pub(crate) fn step(&self, path: &Path, op: Op) -> Result<(), Fault> {
        let mut inner = self.lock();
        let number = inner.ops.len() + inner.failed;
        match inner.plan {
            Plan::At(at, fault) if number == at => {
                inner.failed += 1;
                return Err(fault);
            }
            Plan::From(from, fault) if number >= from => {
                inner.failed += 1;
                return Err(fault);
            }
            _ => {}
        }
        let path = path.strip_prefix(&self.folder).expect("paths are of this folder").to_owned();
        inner.ops.push((path, op));
        Ok(())
    }

    /// Records that a command has returned without an error.
    pub(crate) fn acknowledge(&self) {
        self.lock().ops.push((PathBuf::new(), Op::Acknowledged));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The disk for artifacts, with every step recorded.
#[derive(Debug)]
pub(crate) struct RecordedDisk(pub(crate) Arc<Recording>);

impl Disk for RecordedDisk {
    fn write_new(&self, path: &Path, content: &mut dyn Read) -> io::Result<()> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        self.0.step(path, Op::Create)?;
        // In two halves, so that a fault can happen between them.
        let (first, second) = bytes.split_at(bytes.len() / 2);
        std::fs::write(path, b"")?;
        self.0.step(path, Op::Write { offset: 0, bytes: first.to_vec() })?;
        std::fs::write(path, first)?;
        self.0.step(path, Op::Write { offset: first.len(), bytes: second.to_vec() })?;
        std::fs::write(path, &bytes)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        Ok(self.0.step(path, Op::Sync)?)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let in_folder = to.strip_prefix(&self.0.folder).expect("paths are of this folder");
        self.0.step(from, Op::RenameTo(in_folder.to_owned()))?;
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.step(path, Op::Remove)?;
        std::fs::remove_file(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.0.step(path, Op::CreateFolder)?;
        std::fs::create_dir(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        Ok(self.0.step(path, Op::SyncFolder)?)
    }
}
