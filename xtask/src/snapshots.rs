//! Changed snapshots that nobody has reviewed.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::workspace::Workspace;

/// Fails if a changed snapshot is neither accepted nor rejected.
pub(crate) fn check_none_left(workspace: &Workspace) -> anyhow::Result<()> {
    let mut left = Vec::new();
    for folder in ["crates", "xtask"] {
        collect(&workspace.root.join(folder), &mut left)?;
    }
    ensure!(
        left.is_empty(),
        "changed snapshots wait for a review (`cargo insta review`): {}",
        left.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    );
    Ok(())
}

fn collect(folder: &Path, left: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let cannot_read = || format!("cannot read `{}`", folder.display());
    for entry in std::fs::read_dir(folder).with_context(cannot_read)? {
        let entry = entry.with_context(cannot_read)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), left)?;
        } else if name.ends_with(".snap.new") || name.ends_with(".pending-snap") {
            left.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pending_snapshots_are_found_at_any_depth_and_accepted_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/snapshots");
        std::fs::create_dir_all(&deep).unwrap();
        for name in ["one.snap", "one.snap.new", ".main.rs.pending-snap"] {
            std::fs::write(deep.join(name), "").unwrap();
        }
        let mut left = Vec::new();
        collect(folder.path(), &mut left).unwrap();
        left.sort();
        assert_eq!(left, [deep.join(".main.rs.pending-snap"), deep.join("one.snap.new")]);
    }
}
