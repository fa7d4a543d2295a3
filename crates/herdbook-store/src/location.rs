//! Where the records are: the tracking URI, and the folder for artifacts beside it.

use std::path::{Path, PathBuf};

use crate::StoreError;

/// What this version opens, in the words of the error that refuses the rest.
const SUPPORTED: &str = "give `sqlite:///relative/path.db` or `sqlite:////absolute/path.db`";

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The database file.
    pub database: PathBuf,
    /// The folder below which new experiments keep their artifacts.
    pub artifact_root: PathBuf,
}

impl Location {
    /// The store of a working directory: that of `uri` (a `sqlite:///` URI), or `mlflow.db` in the directory
    /// itself; artifacts in `mlruns` there, as MLflow does.
    ///
    /// # Errors
    /// [`StoreError::NotUtf8`]; [`StoreError::UnsupportedUri`]; [`StoreError::FileStore`] where no URI is given and MLflow would fall
    /// back to the file store in `mlruns`.
    pub fn resolve(uri: Option<&str>, directory: &Path) -> Result<Self, StoreError> {
        let artifact_root = directory.join("mlruns");
        if artifact_root.to_str().is_none() {
            return Err(StoreError::NotUtf8 { path: artifact_root });
        }
        let database = if let Some(uri) = uri {
            directory.join(sqlite_path(uri)?)
        } else {
            refuse_file_store(&artifact_root)?;
            directory.join("mlflow.db")
        };
        Ok(Self { database, artifact_root })
    }

    /// The URI that names this store from anywhere.
    pub fn uri(&self) -> String {
        format!("sqlite:///{}", self.database.display())
    }
}

fn sqlite_path(uri: &str) -> Result<&Path, StoreError> {
    uri.strip_prefix("sqlite:///")
        .filter(|path| !path.is_empty() && !path.contains('?') && *path != ":memory:")
        .map(Path::new)
        .ok_or_else(|| StoreError::UnsupportedUri { uri: uri.to_owned(), rule: SUPPORTED })
}

/// MLflow takes `./mlruns` as a file store when it holds `<digits>/meta.yaml`.
fn refuse_file_store(mlruns: &Path) -> Result<(), StoreError> {
    let Ok(entries) = std::fs::read_dir(mlruns) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_experiment = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
        if is_experiment && entry.path().join("meta.yaml").is_file() {
            return Err(StoreError::FileStore {
                path: mlruns.to_owned(),
                example: format!("{name}/meta.yaml"),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn store_of_a_directory_is_what_mlflow_would_use() {
        let location = Location::resolve(None, Path::new("/srv/models")).unwrap();
        assert_eq!(location.database, Path::new("/srv/models/mlflow.db"));
        assert_eq!(location.artifact_root, Path::new("/srv/models/mlruns"));
    }

    #[test]
    fn sqlite_uris_are_relative_with_three_slashes_and_absolute_with_four() {
        let database = |uri| Location::resolve(Some(uri), Path::new("/here")).unwrap().database;
        assert_eq!(database("sqlite:///a/b.db"), Path::new("/here/a/b.db"));
        assert_eq!(database("sqlite:////a/b.db"), Path::new("/a/b.db"));
    }

    #[test]
    fn other_uris_are_refused_by_name() {
        for uri in
            ["postgresql://host/db", "http://localhost:5000", "sqlite://", "sqlite:///", "mlruns"]
        {
            let error = Location::resolve(Some(uri), Path::new("/here")).unwrap_err();
            assert!(error.to_string().contains(uri), "{error}");
        }
    }

    #[test]
    fn file_store_in_mlruns_is_refused_unless_a_store_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let experiment = folder.path().join("mlruns/123");
        std::fs::create_dir_all(&experiment).unwrap();
        std::fs::write(experiment.join("meta.yaml"), "").unwrap();
        assert!(matches!(
            Location::resolve(None, folder.path()),
            Err(StoreError::FileStore { .. })
        ));
        assert!(Location::resolve(Some("sqlite:///x.db"), folder.path()).is_ok());
    }
}
