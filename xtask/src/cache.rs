//! The folder that keeps installed tools between runs.
//!
//! An entry is built in its final place, because a Python environment cannot be moved. A lock lets one process build
//! at a time. A marker file, written last, makes the entry valid: an interrupted build is started again from nothing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// The file that is written last into an entry.
const MARKER: &str = "complete";

/// Returns the folder of an entry. If there is none yet, `build` is called to fill it.
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
    // The kernel releases the lock when this process ends, even when it is killed.
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
        .context("no folder to install tools in: set `HOME` or `XDG_CACHE_HOME`")
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
    fn unfinished_entry_is_built_again_from_nothing() {
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
    fn concurrent_callers_build_an_entry_once() {
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
