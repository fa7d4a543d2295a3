//! The address of a source, and the location to import it into.

use std::path::{Path, PathBuf};

use herdbook_store::artifacts::place::local_folder;
use herdbook_store::{Location, Notices, PostgresSource, StoreError, uri_without_secrets};

use super::database::Database;
use super::files::Files;
use super::records::Reader;
use super::server::Server;

/// Options for reading a source.
#[derive(Debug, Clone, Default)]
pub struct SourceOptions {
    /// The folder of the artifacts, if they are not at their recorded location.
    pub artifacts: Option<PathBuf>,
    /// Receives the message that a server is waited for.
    pub notices: Notices,
}

/// A store to import from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An SQLite database of MLflow.
    Database(PathBuf),
    /// The folder of a file store, such as `mlruns`.
    Files(PathBuf),
    /// An MLflow database of a PostgreSQL server.
    Postgres(Box<PostgresSource>),
    /// The address of an MLflow server.
    Server(String),
}

impl Source {
    /// Parses an address: `sqlite:///…`, `postgresql://…`, the path of a database or of an `mlruns` folder, or `http(s)://…`.
    /// Paths are relative to `directory`.
    ///
    /// # Errors
    /// [`StoreError::Source`] if the address is of another kind, or there is no such file or folder.
    pub fn parse(text: &str, directory: &Path) -> Result<Self, StoreError> {
        if text.starts_with("http://") || text.starts_with("https://") {
            return Ok(Self::Server(text.trim_end_matches('/').to_owned()));
        }
        if let Some(source) = PostgresSource::parse(text)? {
            return Ok(Self::Postgres(Box::new(source)));
        }
        let unknown = |problem: &str| StoreError::Source {
            source_uri: uri_without_secrets(text),
            problem: problem.to_owned(),
        };
        let path = if let Some(path) = text.strip_prefix("sqlite:///") {
            PathBuf::from(path)
        } else if text.starts_with("file:") {
            local_folder(text).ok_or_else(|| unknown("write `file:///absolute/path`"))?
        } else if text.contains("://") {
            return Err(unknown(
                "give `sqlite:///…`, `postgresql://…`, the path of a database or of an `mlruns` folder, or `http(s)://…`",
            ));
        } else {
            PathBuf::from(text)
        };
        let path = directory.join(path);
        match std::fs::metadata(&path) {
            Err(error) => Err(unknown(&error.to_string())),
            Ok(found) if found.is_dir() => Ok(Self::Files(path)),
            Ok(_) => Ok(Self::Database(path)),
        }
    }

    /// Fails if the target is the source itself, or inside it.
    pub(crate) fn refuse_same(&self, target: &Location) -> Result<(), StoreError> {
        let Some(database) = target.database_file() else { return Ok(()) };
        let is_same = match self {
            Self::Server(_) | Self::Postgres(_) => false,
            Self::Database(path) => same(path, database),
            Self::Files(folder) => database
                .parent()
                .is_some_and(|parent| absolute(parent).starts_with(absolute(folder))),
        };
        if is_same {
            return Err(StoreError::SameStore { path: database.to_owned() });
        }
        Ok(())
    }

    /// Whether the source has, or may have, artifacts in a folder.
    fn uses(&self, folder: &Path) -> bool {
        match self {
            Self::Server(_) => false,
            // Its artifacts may be in MLflow's default folders, if its server ran here.
            Self::Postgres(_) => folder.exists(),
            Self::Files(source) => absolute(folder).starts_with(absolute(source)),
            Self::Database(path) => {
                let beside = absolute(path).parent().map(Path::to_owned).unwrap_or_default();
                folder.exists()
                    && ["mlruns", "mlartifacts"].iter().any(|name| same(folder, &beside.join(name)))
            }
        }
    }

    pub(crate) fn open(&self, options: &SourceOptions) -> Result<Box<dyn Reader>, StoreError> {
        Ok(match self {
            Self::Database(path) => Box::new(Database::open(path, options.artifacts.as_deref())?),
            Self::Postgres(source) => {
                let beside = Path::new("");
                Box::new(Database::connect(source, beside, options.artifacts.as_deref())?)
            }
            Self::Files(path) => Box::new(Files::open(path, options.artifacts.as_deref())?),
            Self::Server(address) => Box::new(Server::open(address, &options.notices)?),
        })
    }
}

/// The location to import into. As [`Location::resolve`], except that artifacts are never written into a folder of the
/// source, and that `mlflow.db` may be next to the file store that is imported.
///
/// # Errors
/// As [`Location::resolve`]; [`StoreError::SameStore`] if the target is the source itself, or inside it.
pub fn target_location(
    uri: Option<&str>,
    directory: &Path,
    source: &Source,
) -> Result<Location, StoreError> {
    let is_beside = source.uses(&directory.join("mlruns"));
    let mut target = Location::resolve(uri.or(is_beside.then_some(DEFAULT_URI)), directory)?;
    let roots = ["mlruns", "mlartifacts", "herdbook-artifacts"].map(|name| directory.join(name));
    if source.uses(target.artifact_root())
        && let Some(free) = roots.into_iter().find(|root| !source.uses(root))
    {
        target = target.with_artifact_root(free);
    }
    source.refuse_same(&target)?;
    Ok(target)
}

/// The store if no URI is given.
const DEFAULT_URI: &str = "sqlite:///mlflow.db";

fn absolute(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}
