//! Where the artifacts of a request are: the root of their store, and the path below it.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use herdbook_mlflow::Code;
use herdbook_store::artifacts::streams::ArtifactStore;

use crate::app::App;
use crate::mlflow::artifacts::path::{normal, refusal};
use crate::mlflow::wire::failure::Failure;

/// The route of the proxy in the locations of artifacts that name a server, too.
const ROUTE: &str = "/api/2.0/mlflow-artifacts/artifacts/";

/// A file or folder of artifacts.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) store: Box<dyn ArtifactStore>,
    /// The path for messages, as the request gave it, below the root.
    pub(super) shown: String,
    /// The same path in its normal form; empty for the root.
    pub(super) path: String,
}

impl Place {
    /// A path below the folder of the artifacts that pass through the server.
    pub(super) fn proxied(app: &App, path: String) -> Result<Self, Failure> {
        let store = app.session().artifacts_at("the artifact proxy", "mlflow-artifacts:/")?;
        Ok(Self { store, path: normal(&path)?, shown: path })
    }

    /// A path below the recorded location of a run, logged model or version.
    pub(super) fn below(
        app: &App,
        owner: &str,
        location: &str,
        path: Option<&str>,
    ) -> Result<Self, Failure> {
        if let Some(root) = proxied_root(location) {
            let whole = match path {
                Some(path) => join(root, path),
                None => root.to_owned(),
            };
            return Self::proxied(app, whole);
        }
        let store = app.session().artifacts_at(owner, location)?;
        let path = path.unwrap_or_default().to_owned();
        Ok(Self { store, path: normal(&path)?, shown: path })
    }

    /// A path to be written below a recorded location. Clients choose the locations of experiments, so the server writes to those
    /// of its proxy only, and never to a folder that a client names.
    pub(super) fn to_write(app: &App, location: &str, path: &str) -> Result<Self, Failure> {
        let Some(root) = proxied_root(location) else {
            return Err(Failure::invalid(format!(
                "the artifacts at `{location}` do not pass through this server; write them there"
            )));
        };
        Self::proxied(app, join(root, path))?.below_root()
    }

    /// The path on this machine, after a look at the links on the way.
    ///
    /// # Errors
    /// A refusal if a link leads out of the root, or the artifacts are not on this machine.
    pub(super) fn on_disk(&self) -> Result<PathBuf, Failure> {
        let (Some(root), Some(target)) =
            (self.store.local_path(""), self.store.local_path(&self.path))
        else {
            let text = "these artifacts are not on the server's machine";
            return Err(Failure::new(Code::NotImplemented, text));
        };
        let Ok(real_root) = root.canonicalize() else { return Ok(target) };
        let mut existing = target.as_path();
        while fs::symlink_metadata(existing).is_err() {
            match existing.parent() {
                Some(parent) => existing = parent,
                None => break,
            }
        }
        match existing.canonicalize() {
            Ok(real) if real.starts_with(&real_root) => Ok(target),
            _ => Err(Failure::invalid(
                "Invalid path: resolved path is outside the artifact directory",
            )),
        }
    }

    /// The name of the file.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The refusal of a request for a file that does not exist.
    pub(super) fn missing(&self) -> Failure {
        let message = format!("No such artifact: '{}'", self.shown);
        Failure::new(Code::ResourceDoesNotExist, message)
    }

    /// The text about a folder where a file is asked for.
    pub(super) fn is_folder(&self) -> String {
        format!("Artifact path refers to a directory, not a file: '{}'", self.shown)
    }

    /// Refuses the root itself.
    pub(super) fn below_root(self) -> Result<Self, Failure> {
        if self.path.is_empty() { Err(refusal()) } else { Ok(self) }
    }
}

/// The path below the proxy's root of a location that the proxy serves.
fn proxied_root(location: &str) -> Option<&str> {
    if let Some(rest) = location.strip_prefix("mlflow-artifacts:") {
        // `mlflow-artifacts://host:port/a/b` names the server, too.
        let path = match rest.strip_prefix("//") {
            Some(with_host) => with_host.split_once('/').map_or("", |(_, path)| path),
            None => rest,
        };
        return Some(path.trim_start_matches('/'));
    }
    let is_http = location.starts_with("http://") || location.starts_with("https://");
    let (_, path) = location.split_once(ROUTE).filter(|_| is_http)?;
    Some(path.trim_start_matches('/'))
}

/// As Python's `posixpath.join`, for a relative path.
pub(super) fn join(root: &str, path: &str) -> String {
    if root.is_empty() || root.ends_with('/') {
        format!("{root}{path}")
    } else {
        format!("{root}/{path}")
    }
}

/// What an error of the file system means for a client who gave a path.
pub(super) fn refused_path(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::InvalidFilename => Some("Invalid path: a name in it is too long"),
        ErrorKind::NotADirectory => Some("Invalid path: a part of it is a file, not a folder"),
        ErrorKind::IsADirectory | ErrorKind::DirectoryNotEmpty => {
            Some("Invalid path: it is a folder, not a file")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_that_the_proxy_serves_are_recognised() {
        for (location, expected) in [
            ("mlflow-artifacts:/1/r/artifacts", Some("1/r/artifacts")),
            ("mlflow-artifacts://host:5000/1/r", Some("1/r")),
            ("mlflow-artifacts:///1/r", Some("1/r")),
            ("http://host/api/2.0/mlflow-artifacts/artifacts/1/r", Some("1/r")),
            ("http://host/elsewhere/1/r", None),
            ("s3://bucket/1/r", None),
            ("/folder/1/r", None),
        ] {
            assert_eq!(proxied_root(location), expected, "{location}");
        }
        assert_eq!(join("a", "b"), "a/b");
        assert_eq!(join("a", ""), "a/");
    }
}
