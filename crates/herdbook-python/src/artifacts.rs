//! Copies files and folders between this machine and the artifacts of a run.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use herdbook_cli::Failure;
use herdbook_domain::RunId;
use herdbook_store::{Store, new_id, open_regular};

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

/// Stores a file among a run's artifacts.
pub(crate) fn store_file(
    store: &Store,
    run_id: &RunId,
    artifact: &str,
    path: &Path,
) -> Result<(), Failure> {
    let mut file = open_regular(path).map_err(|error| cannot("read", path, &error))?;
    store.store_artifact_from(run_id, artifact, &mut file)?;
    Ok(())
}

/// Stores the files of a folder and its subfolders among a run's artifacts, below `target`.
pub(crate) fn store_folder(
    store: &Store,
    run_id: &RunId,
    folder: &Path,
    target: &str,
) -> Result<(), Failure> {
    let failed = |error: io::Error| cannot("read", folder, &error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let artifact = if target.is_empty() { name } else { format!("{target}/{name}") };
        if path.is_dir() {
            store_folder(store, run_id, &path, &artifact)?;
        } else {
            store_file(store, run_id, &artifact, &path)?;
        }
    }
    Ok(())
}

/// Downloads an artifact into a folder of this machine and returns its path. The file has this path only once it is
/// complete.
pub(crate) fn download(
    store: &Store,
    run_id: &RunId,
    artifact: &str,
    folder: &Path,
) -> Result<PathBuf, Failure> {
    let mut content = store.open_artifact(run_id, artifact, None)?;
    let path = folder.join(run_id.as_str()).join(artifact);
    let failed = |error: io::Error| cannot("write", &path, &error);
    fs::create_dir_all(path.parent().unwrap_or(folder)).map_err(failed)?;
    let mut partial = path.clone().into_os_string();
    partial.push(format!(".{}.tmp", new_id()));
    let partial = PathBuf::from(partial);
    let written = File::create(&partial)
        .and_then(|mut file| io::copy(&mut content, &mut file).and_then(|_| file.flush()))
        .and_then(|()| fs::rename(&partial, &path));
    if let Err(error) = written {
        // Best effort: the first error is the one to report.
        let _ = fs::remove_file(&partial);
        return Err(failed(error));
    }
    Ok(path)
}

fn cannot(verb: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::usage(&format!("cannot {verb} `{}`: {error}", path.display()))
}
