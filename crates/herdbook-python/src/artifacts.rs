//! Copies files and folders between this machine and the artifacts of a run.

use std::path::{Component, Path, PathBuf};

use herdbook_cli::Failure;
use herdbook_domain::RunId;
use herdbook_store::Store;

/// Checks that a path stays inside the artifacts of a run.
pub(crate) fn checked_path(artifact: &str) -> Result<&str, Failure> {
    let is_inside =
        Path::new(artifact).components().all(|part| matches!(part, Component::Normal(_)));
    if is_inside && !artifact.contains('\\') {
        return Ok(artifact);
    }
    Err(Failure::usage(&format!(
        "`{artifact}` is not a path inside a run's artifacts: give a relative path without `..`"
    )))
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path)
        .map_err(|error| Failure::usage(&format!("cannot read `{}`: {error}", path.display())))
}

/// Downloads an artifact into a folder of this machine and returns its path.
pub(crate) fn fetch(
    store: &Store,
    run_id: &RunId,
    artifact: &str,
    folder: &Path,
) -> Result<PathBuf, Failure> {
    let content = store.read_artifact(run_id, artifact)?;
    let path = folder.join(run_id.as_str()).join(artifact);
    let cannot = |error| Failure::usage(&format!("cannot write `{}`: {error}", path.display()));
    std::fs::create_dir_all(path.parent().unwrap_or(folder)).map_err(cannot)?;
    herdbook_cli::write_download(store, &path, content)?;
    Ok(path)
}

pub(crate) fn store_folder(
    store: &Store,
    run_id: &RunId,
    folder: &Path,
    place: &str,
) -> Result<(), Failure> {
    let cannot = |error| Failure::usage(&format!("cannot read `{}`: {error}", folder.display()));
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let place = if place.is_empty() { name } else { format!("{place}/{name}") };
        if path.is_dir() {
            store_folder(store, run_id, &path, &place)?;
        } else {
            store.store_artifact(run_id, &place, &read(&path)?)?;
        }
    }
    Ok(())
}
