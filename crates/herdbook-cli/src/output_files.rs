//! Files that the user names for output. They never replace a file by accident: see [`OutputFiles::plan`].

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use herdbook_store::{Store, new_id, open_regular, standard_state_folder};

use crate::failure::Failure;

const SQLITE_HEADER: &[u8] = b"SQLite format 3\0";
/// What `SQLite` appends to the name of a database for the files beside it.
const BESIDE_DATABASE: [&str; 3] = ["-wal", "-shm", "-journal"];
/// Names of the folders in which MLflow keeps artifacts.
const OF_MLFLOW: [&str; 2] = ["mlruns", "mlartifacts"];
/// At most this many links are followed from a name to its file.
const MAX_LINKS: usize = 40;

/// A file that the user named for output.
pub(crate) struct Requested {
    pub(crate) path: PathBuf,
    /// The flag that names it, or its folder.
    pub(crate) flag: &'static str,
}

/// Files that a command must not write to.
pub(crate) struct Protected {
    /// Files that the command reads, and what they are.
    inputs: Vec<(PathBuf, &'static str)>,
    database: Option<PathBuf>,
    artifacts: PathBuf,
}

impl Protected {
    /// The files of a store.
    pub(crate) fn of(store: &Store) -> Self {
        let location = store.location();
        Self {
            inputs: Vec::new(),
            database: location.database_file().map(Path::to_owned),
            artifacts: location.artifact_root().to_owned(),
        }
    }

    #[must_use]
    pub(crate) fn and_input(mut self, path: PathBuf, what: &'static str) -> Self {
        self.inputs.push((path, what));
        self
    }
}

/// The checked files of one command, ready to be written.
pub(crate) struct OutputFiles {
    files: Vec<(Requested, Target)>,
    overwrite: bool,
}

/// Where an output goes.
enum Target {
    /// A file, with all links resolved. It is written as another file in the same folder, then renamed.
    File(PathBuf),
    /// A device or a pipe, which is written directly.
    Special,
    /// The stdout of this process.
    Stdout,
}

/// Two paths with the same identity name the same file.
#[derive(PartialEq, Eq)]
enum Identity {
    Existing {
        device: u64,
        inode: u64,
    },
    /// The folder, and the rest of the path in lower case: on some file systems case makes no difference.
    Missing(PathBuf, String),
}

impl OutputFiles {
    /// Checks the files before anything is written.
    ///
    /// Refused are: an existing file, unless `overwrite`; a protected file, a database of `SQLite` and its companions, and
    /// anything in a folder of artifacts, always; the same file twice. Files are compared by identity, so links and other
    /// spellings make no difference.
    pub(crate) fn plan(
        requested: Vec<Requested>,
        protected: &Protected,
        overwrite: bool,
    ) -> Result<Self, Failure> {
        let mut files: Vec<(Requested, Target)> = Vec::new();
        let mut seen: Vec<(Identity, &'static str)> = Vec::new();
        for one in requested {
            let cannot = |error: io::Error| cannot_write(&one, &error.to_string());
            let found = match fs::metadata(&one.path) {
                Ok(found) => Some(found),
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                Err(error) => return Err(cannot(error)),
            };
            let resolved = resolve(&one.path).map_err(cannot)?;
            let identity = identity(&resolved, found.as_ref());
            if let Some((_, other)) = seen.iter().find(|(other, _)| *other == identity) {
                return Err(cannot_write(&one, &format!("`{other}` names the same file"))
                    .with_hint("give each output a path of its own"));
            }
            seen.push((identity, one.flag));
            let target = target(&one, found.as_ref(), resolved, protected, overwrite)?;
            files.push((one, target));
        }
        Ok(Self { files, overwrite })
    }

    /// Whether no file was requested.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Writes the files, `contents` in the order in which they were requested. Files are complete before the first one
    /// gets its name, so if writing fails, none has changed. Only a failure of a later rename leaves earlier files changed.
    pub(crate) fn write(self, contents: &[Vec<u8>]) -> Result<(), Failure> {
        assert_eq!(self.files.len(), contents.len(), "one content for each file");
        let mut parts = Vec::new();
        for ((requested, target), content) in self.files.iter().zip(contents) {
            if let Target::File(path) = target {
                let part = Part::write(path, content, self.overwrite);
                parts.push((requested, part.map_err(|e| cannot_write(requested, &e.to_string()))?));
            }
        }
        for ((requested, target), content) in self.files.iter().zip(contents) {
            let written = match target {
                Target::File(_) => Ok(()),
                Target::Special => OpenOptions::new()
                    .write(true)
                    .open(&requested.path)
                    .and_then(|mut file| file.write_all(content)),
                Target::Stdout => {
                    let mut stdout = io::stdout().lock();
                    stdout.write_all(content).and_then(|()| stdout.flush())
                }
            };
            match written {
                // As for stdout: the reader has all it wants.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
                written => written.map_err(|e| cannot_write(requested, &e.to_string()))?,
            }
        }
        for (requested, part) in parts {
            part.rename(self.overwrite).map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => exists(requested),
                _ => cannot_write(requested, &error.to_string()),
            })?;
        }
        Ok(())
    }
}

/// A complete file that does not have its final name yet. It is removed unless it gets that name.
struct Part {
    path: PathBuf,
    target: PathBuf,
}

impl Part {
    fn write(target: &Path, content: &[u8], overwrite: bool) -> io::Result<Self> {
        let folder = target.parent().unwrap_or(Path::new("/"));
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let name: String = name.chars().take(48).collect();
        let path = folder.join(format!(".{name}.{}.tmp", new_id()));
        let mut file = File::create_new(&path)?;
        let part = Self { path, target: target.to_owned() };
        if overwrite && let Ok(replaced) = fs::metadata(target) {
            file.set_permissions(replaced.permissions())?;
        }
        file.write_all(content)?;
        file.sync_all()?;
        Ok(part)
    }

    fn rename(self, overwrite: bool) -> io::Result<()> {
        if overwrite {
            fs::rename(&self.path, &self.target)
        } else {
            rename_new(&self.path, &self.target)
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // After the rename there is nothing to remove.
        let _ = fs::remove_file(&self.path);
    }
}

/// Renames a file unless the new name is taken, also if another process takes it at this moment.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
            renamed => return renamed.map_err(Into::into),
        }
    }
    // For file systems and systems without such a rename. The first name is removed with the part.
    fs::hard_link(from, to)
}

fn target(
    requested: &Requested,
    found: Option<&Metadata>,
    resolved: PathBuf,
    protected: &Protected,
    overwrite: bool,
) -> Result<Target, Failure> {
    let refused = |why: &str| {
        cannot_write(requested, why).with_hint("give the path of a new file; nothing was written")
    };
    let Some(found) = found else {
        if let Some(why) = protection(&resolved, None, protected) {
            return Err(refused(&why));
        }
        return Ok(Target::File(resolved));
    };
    if is_stdout(found) {
        let is_asked = ["/dev", "/proc"].iter().any(|folder| requested.path.starts_with(folder));
        return if is_asked {
            Ok(Target::Stdout)
        } else {
            Err(refused("stdout of this command is the same file"))
        };
    }
    let kind = found.file_type();
    if kind.is_char_device() || kind.is_fifo() {
        return Ok(Target::Special);
    }
    if kind.is_dir() {
        return Err(refused("it is a folder"));
    }
    if !kind.is_file() {
        return Err(refused("it is neither a file nor a pipe"));
    }
    if let Some(why) = protection(&resolved, Some(found), protected) {
        return Err(refused(&why));
    }
    if overwrite { Ok(Target::File(resolved)) } else { Err(exists(requested)) }
}

/// Whether stdout of this process is the same file.
fn is_stdout(found: &Metadata) -> bool {
    let stdout = io::stdout().as_fd().try_clone_to_owned();
    stdout
        .and_then(|stdout| File::from(stdout).metadata())
        .is_ok_and(|stdout| (stdout.dev(), stdout.ino()) == (found.dev(), found.ino()))
}

/// Why a file must not be written, even with `--overwrite`.
fn protection(path: &Path, found: Option<&Metadata>, protected: &Protected) -> Option<String> {
    let own = identity(path, found);
    for (input, what) in &protected.inputs {
        let Ok(resolved) = resolve(input) else { continue };
        if identity(&resolved, fs::metadata(input).ok().as_ref()) == own {
            return Some(format!("it is {what}"));
        }
    }
    if let Some(Ok(database)) = protected.database.as_ref().map(|path| resolve(path)) {
        if identity(&database, fs::metadata(&database).ok().as_ref()) == own {
            return Some("it is the store".to_owned());
        }
        if BESIDE_DATABASE.iter().any(|suffix| with_suffix(&database, suffix) == path) {
            return Some("the store's database uses it".to_owned());
        }
    }
    if found.is_some() && is_sqlite(path) {
        return Some("it is an SQLite database".to_owned());
    }
    let state = standard_state_folder().and_then(|folder| resolve(&folder).ok());
    if state.is_some_and(|state| path.starts_with(state)) {
        return Some(
            "it lies in the folder in which herdbook remembers the ends of histories".to_owned(),
        );
    }
    let text = path.to_string_lossy();
    let database =
        BESIDE_DATABASE.iter().find_map(|suffix| text.strip_suffix(suffix)).map(Path::new);
    if database.is_some_and(is_sqlite) {
        return Some("it belongs to an SQLite database".to_owned());
    }
    let folder = path.parent().unwrap_or(path);
    let is_artifact = resolve(&protected.artifacts).is_ok_and(|root| folder.starts_with(root))
        || folder.components().any(|part| OF_MLFLOW.iter().any(|name| part.as_os_str() == *name))
        || is_among_artifacts(folder);
    is_artifact.then(|| "it lies in a folder where a store keeps its artifacts".to_owned())
}

/// Whether a folder is, or lies in, the `artifacts` of a run, whose own folder is named by its id.
fn is_among_artifacts(folder: &Path) -> bool {
    let parts: Vec<_> =
        folder.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.windows(2).any(|pair| {
        let is_run = pair[0].len() == 32 && pair[0].bytes().all(|byte| byte.is_ascii_hexdigit());
        is_run && pair[1] == "artifacts"
    })
}

fn is_sqlite(path: &Path) -> bool {
    let mut header = Vec::new();
    let read = open_regular(path)
        .and_then(|file| file.take(SQLITE_HEADER.len() as u64).read_to_end(&mut header));
    read.is_ok() && header == SQLITE_HEADER
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(suffix);
    text.into()
}

/// The file that a path leads to, through all links; it need not exist.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut path = std::path::absolute(path)?;
    for _ in 0..MAX_LINKS {
        let Ok(link) = fs::read_link(&path) else { break };
        // Links of `/proc` to pipes and deleted files lead to no path.
        if fs::metadata(&path).is_ok() && path.canonicalize().is_err() {
            return Ok(path);
        }
        path = path.parent().unwrap_or(Path::new("/")).join(link);
    }
    let mut missing = Vec::new();
    let mut existing = path.as_path();
    loop {
        match existing.canonicalize() {
            Ok(mut found) => {
                found.extend(missing.iter().rev());
                return Ok(found);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let Some(Component::Normal(name)) = existing.components().next_back() else {
                    return Err(error);
                };
                missing.push(name.to_owned());
                existing = existing.parent().unwrap_or(Path::new("/"));
            }
            Err(error) => return Err(error),
        }
    }
}

fn identity(resolved: &Path, found: Option<&Metadata>) -> Identity {
    if let Some(found) = found {
        return Identity::Existing { device: found.dev(), inode: found.ino() };
    }
    let folder = resolved.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    let rest = resolved.strip_prefix(folder).unwrap_or(resolved);
    Identity::Missing(folder.to_owned(), rest.to_string_lossy().to_lowercase())
}

fn exists(requested: &Requested) -> Failure {
    cannot_write(requested, "it exists already").with_hint(
        "give the path of a new file, or replace this one with `--overwrite`; nothing was written",
    )
}

fn cannot_write(requested: &Requested, why: &str) -> Failure {
    Failure::usage(&format!(
        "cannot write `{}` (flag `{}`): {why}",
        requested.path.display(),
        requested.flag
    ))
}
