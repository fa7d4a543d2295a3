//! Artifacts on this machine: at their recorded location, or where they are after the store was moved.

use std::fs;
use std::path::{Component, Path, PathBuf};

use herdbook_store::artifacts::place::local_folder;

use super::records::{ArtifactsUnreadable, RunInfo};

/// The folders in which a store's artifacts may be.
#[derive(Debug, Clone)]
pub(super) struct LocalArtifacts {
    /// Folders that hold `<experiment>/<run>/artifacts`.
    roots: Vec<PathBuf>,
    /// The folder that relative locations refer to.
    base: PathBuf,
}

impl LocalArtifacts {
    /// MLflow's default folders next to a database or in a file store, and the folder that the user gives.
    pub(super) fn beside(base: &Path, given: Option<&Path>) -> Self {
        let defaults = [base.join("mlruns"), base.join("mlartifacts"), base.to_owned()];
        let roots = given.map(Path::to_owned).into_iter().chain(defaults).collect();
        Self { roots, base: base.to_owned() }
    }

    /// The folder of a run's artifacts; `None` if the run has no artifacts.
    pub(super) fn folder(&self, run: &RunInfo) -> Result<Option<PathBuf>, ArtifactsUnreadable> {
        let recorded = self.recorded(&run.artifact_uri);
        if let Some(folder) = recorded.iter().find(|folder| folder.is_dir()) {
            return Ok(Some(folder.clone()));
        }
        let tail = tail(&run.artifact_uri);
        let moved = self.roots.iter().filter_map(|root| Some(root.join(tail.as_ref()?)));
        if let Some(folder) = moved.clone().find(|folder| folder.is_dir()) {
            return Ok(Some(folder));
        }
        // MLflow creates a run's folder with its first file: if only the experiment's folder exists, the run has none.
        let is_known = |folder: &PathBuf| folder.ancestors().nth(2).is_some_and(Path::is_dir);
        if recorded.iter().any(is_known) || moved.clone().any(|folder| is_known(&folder)) {
            return Ok(None);
        }
        Err(ArtifactsUnreadable {
            root: root(&run.artifact_uri),
            problem:
                "the folder does not exist on this machine: give its new path with `--artifacts FOLDER`"
                    .to_owned(),
        })
    }

    /// The recorded folder, if it can be one of this machine.
    fn recorded(&self, uri: &str) -> Option<PathBuf> {
        if let Some(folder) = local_folder(uri) {
            return Some(folder);
        }
        let is_relative = !uri.contains(':') && !uri.is_empty();
        is_relative.then(|| self.base.join(uri.strip_prefix("./").unwrap_or(uri)))
    }
}

/// `<experiment>/<run>/artifacts`, the end of every location that MLflow assigns.
fn tail(uri: &str) -> Option<PathBuf> {
    let mut parts = uri.trim_end_matches('/').rsplit('/');
    let (last, run, experiment) = (parts.next()?, parts.next()?, parts.next()?);
    let tail = PathBuf::from(experiment).join(run).join(last);
    tail.components().all(|part| matches!(part, Component::Normal(_))).then_some(tail)
}

/// The common part of the locations of an experiment's runs.
fn root(uri: &str) -> String {
    let mut parts: Vec<&str> = uri.split('/').collect();
    parts.truncate(parts.len().saturating_sub(2).max(1));
    parts.join("/")
}

/// The files below a folder, as sorted paths with `/`. Links to folders are not followed.
pub(crate) fn files(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut found = Vec::new();
    walk(folder, "", &mut found)?;
    found.sort_unstable();
    Ok(found)
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|name| {
            std::io::Error::other(format!("the name `{}` is not UTF-8", name.display()))
        })?;
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{path}/"), found)?;
        } else if entry.path().is_file() {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_stays_below_the_root() {
        let tail = |uri| tail(uri).map(|tail| tail.display().to_string());
        assert_eq!(tail("/old/mlruns/1/ab/artifacts").as_deref(), Some("1/ab/artifacts"));
        assert_eq!(tail("mlflow-artifacts:/1/ab/artifacts").as_deref(), Some("1/ab/artifacts"));
        assert_eq!(tail("../../etc"), None);
        assert_eq!(tail("x"), None);
        assert_eq!(root("s3://bucket/1/ab/artifacts"), "s3://bucket/1");
    }
}
