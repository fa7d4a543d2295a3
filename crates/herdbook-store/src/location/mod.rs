//! Where the records are: the tracking URI, and the folder for artifacts beside it.

pub(crate) mod postgres;
pub(crate) mod secrets;
pub mod server;

use std::path::{Path, PathBuf};

use self::postgres::PostgresUri;
use self::secrets::uri_without_secrets;
use self::server::ServerUri;
use crate::error::StoreError;

/// What this version opens, in the words of the error that refuses the rest.
const SUPPORTED: &str = "give `sqlite:///relative/path.db`, `sqlite:////absolute/path.db`, \
                         `postgresql://user@host/database` or `https://mlflow.example`";

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The database.
    pub(crate) address: Address,
    /// The folder below which new experiments keep their artifacts.
    pub(crate) artifact_root: PathBuf,
}

/// A database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A file.
    Sqlite(PathBuf),
    /// A database of a PostgreSQL server.
    Postgres(Box<PostgresUri>),
    /// An MLflow server.
    Server(ServerUri),
}

impl Location {
    /// The store of a working directory: that of `uri` (`sqlite:///…`, `postgresql://…`, `http://…`, `https://…`), or `mlflow.db` in the
    /// directory itself; artifacts in `mlruns` there, as MLflow does.
    ///
    /// # Errors
    /// [`StoreError::NotUtf8`]; [`StoreError::UnsupportedUri`]; [`StoreError::FileStore`] where no URI is given and MLflow would fall
    /// back to the file store in `mlruns`.
    pub fn resolve(uri: Option<&str>, directory: &Path) -> Result<Self, StoreError> {
        let artifact_root = directory.join("mlruns");
        if artifact_root.to_str().is_none() {
            return Err(StoreError::NotUtf8 { path: artifact_root });
        }
        let address = if let Some(uri) = uri {
            if let Some(server) = ServerUri::parse(uri) {
                return Ok(Self { address: Address::Server(server), artifact_root });
            }
            match PostgresUri::parse(uri)? {
                Some(postgres) => Address::Postgres(Box::new(postgres)),
                None => Address::Sqlite(directory.join(sqlite_path(uri)?)),
            }
        } else {
            refuse_file_store(&artifact_root)?;
            Address::Sqlite(directory.join("mlflow.db"))
        };
        Ok(Self { address, artifact_root })
    }

    /// The server's address, where the records are a server's.
    pub fn server(&self) -> Option<&ServerUri> {
        match &self.address {
            Address::Server(uri) => Some(uri),
            Address::Sqlite(_) | Address::Postgres(_) => None,
        }
    }

    /// The database file, where the records are in one.
    pub fn database_file(&self) -> Option<&Path> {
        match &self.address {
            Address::Sqlite(path) => Some(path),
            Address::Postgres(_) | Address::Server(_) => None,
        }
    }

    /// The folder below which new experiments keep their artifacts.
    pub fn artifact_root(&self) -> &Path {
        &self.artifact_root
    }

    /// The same location, new experiments keeping their artifacts elsewhere.
    #[must_use]
    pub fn with_artifact_root(self, artifact_root: PathBuf) -> Self {
        Self { artifact_root, ..self }
    }

    /// The store in a database file, without a folder for new artifacts.
    pub(crate) fn of_file(path: &Path) -> Self {
        Self { address: Address::Sqlite(path.to_owned()), artifact_root: PathBuf::new() }
    }

    /// The URI that names this store from anywhere; without a password.
    pub fn uri(&self) -> String {
        match &self.address {
            Address::Sqlite(path) => format!("sqlite:///{}", path.display()),
            Address::Postgres(uri) => uri.to_string(),
            Address::Server(uri) => uri.to_string(),
        }
    }

    /// The store in the words of an error: the file, or the URI without a password.
    pub(crate) fn name(&self) -> String {
        match &self.address {
            Address::Sqlite(path) => path.display().to_string(),
            Address::Postgres(uri) => uri.to_string(),
            Address::Server(uri) => uri.to_string(),
        }
    }
}

fn sqlite_path(uri: &str) -> Result<&Path, StoreError> {
    uri.strip_prefix("sqlite:///")
        .filter(|path| !path.is_empty() && !path.contains('?') && *path != ":memory:")
        .map(Path::new)
        .ok_or_else(|| StoreError::UnsupportedUri {
            uri: uri_without_secrets(uri),
            rule: SUPPORTED.to_owned(),
        })
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
        assert_eq!(location.address, Address::Sqlite(PathBuf::from("/srv/models/mlflow.db")));
        assert_eq!(location.artifact_root, Path::new("/srv/models/mlruns"));
    }

    #[test]
    fn sqlite_uris_are_relative_with_three_slashes_and_absolute_with_four() {
        let address = |uri| Location::resolve(Some(uri), Path::new("/here")).unwrap().address;
        assert_eq!(address("sqlite:///a/b.db"), Address::Sqlite(PathBuf::from("/here/a/b.db")));
        assert_eq!(address("sqlite:////a/b.db"), Address::Sqlite(PathBuf::from("/a/b.db")));
    }

    #[test]
    fn other_uris_are_refused_by_name() {
        for uri in ["mysql://host/db", "databricks", "sqlite://", "sqlite:///", "mlruns"] {
            let error = Location::resolve(Some(uri), Path::new("/here")).unwrap_err();
            assert!(error.to_string().contains(uri), "{error}");
        }
    }

    #[test]
    fn refused_uri_is_shown_without_its_password() {
        for uri in ["mysql://u:s3cret@host/db", "u:s3cret@host", "redis://h?password=s3cret"] {
            let error = Location::resolve(Some(uri), Path::new("/here")).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
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
