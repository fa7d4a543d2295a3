//! The folder in which installed tools stay from one run to the next.
//!
//! An entry is built in place (a Python environment cannot be moved) under a lock, and counts only once its
//! marker is there: a build that was killed is begun again, and of two runs at once one waits for the other.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Written last into an entry.
const MARKER: &str = "complete";

/// The entry of a name; `build` fills its empty folder when it is not there yet.
pub(crate) fn entry(
    name: &str,
    build: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    entry_in(&root()?, name, build)
}

fn entry_in(
    root: &Path,
    name: &str,
    build: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let folder = root.join(name);
    let marker = folder.join(MARKER);
    if marker.is_file() {
        return Ok(folder);
    }
    fs::create_dir_all(root).with_context(|| format!("cannot make `{}`", root.display()))?;
    // The kernel lets go of the lock when this process ends, however it ends.
    let lock = File::create(root.join(format!("{name}.lock")))?;
    lock.lock()?;
    if marker.is_file() {
        return Ok(folder);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir(&folder)?;
    build(&folder)?;
    File::create(&marker)?;
    Ok(folder)
}

/// `$XDG_CACHE_HOME/herdbook`, or `~/.cache/herdbook`.
pub(crate) fn root() -> anyhow::Result<PathBuf> {
    let absolute =
        |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("herdbook"))
        .context("tools need a folder to be installed in: set `HOME` or `XDG_CACHE_HOME`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_tool(folder: &Path) -> anyhow::Result<()> {
        Ok(fs::write(folder.join("tool"), "whole")?)
    }

    #[test]
    fn entry_is_built_once() {
        let root = tempfile::tempdir().unwrap();
        let folder = entry_in(root.path(), "tool-1", write_tool).unwrap();
        assert_eq!(fs::read(folder.join("tool")).unwrap(), b"whole");
        let again = entry_in(root.path(), "tool-1", |_| anyhow::bail!("built twice")).unwrap();
        assert_eq!(again, folder);
    }

    #[test]
    fn unfinished_entry_is_begun_again_from_nothing() {
        let root = tempfile::tempdir().unwrap();
        let half = entry_in(root.path(), "tool-1", |folder| {
            fs::write(folder.join("half"), "")?;
            anyhow::bail!("killed")
        });
        assert!(half.is_err());
        let folder = entry_in(root.path(), "tool-1", write_tool).unwrap();
        assert!(!folder.join("half").exists());
    }

    #[test]
    fn of_two_builders_at_once_only_one_builds() {
        let root = tempfile::tempdir().unwrap();
        let builds = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    entry_in(root.path(), "tool-1", |folder| {
                        builds.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        write_tool(folder)
                    })
                    .unwrap();
                });
            }
        });
        assert_eq!(builds.into_inner(), 1);
    }
}
