//! Recorded artifact locations, resolved on this machine.

use std::path::{Component, Path, PathBuf};

use percent_encoding::percent_decode_str;

use crate::artifacts::streams::ArtifactStore;
use crate::error::StoreError;

/// Where the artifacts of a run or an experiment are.
#[derive(Debug)]
pub enum ArtifactPlace {
    /// In a folder of this machine.
    Folder(PathBuf),
    /// In a store of the backend.
    Elsewhere(Box<dyn ArtifactStore>),
}

impl ArtifactPlace {
    /// Resolves a location to a folder. `owner` names the run or experiment in an error.
    ///
    /// # Errors
    /// [`StoreError::ForeignArtifacts`] if the location is not a folder of this machine.
    pub fn on_this_machine(owner: &str, location: &str) -> Result<Self, StoreError> {
        local_folder(location).map(Self::Folder).ok_or_else(|| StoreError::ForeignArtifacts {
            name: owner.to_owned(),
            location: location.to_owned(),
        })
    }
}

/// The artifact location of a folder as MLflow reads it: the path, or a `file://` URI if the path has characters that
/// MLflow would take for a part of a URI.
pub fn location_of(folder: &Path) -> String {
    let path = folder.display().to_string();
    if path.contains(['%', '#', '?']) {
        let escaped = path.replace('%', "%25").replace('#', "%23").replace('?', "%3F");
        format!("file://{escaped}")
    } else {
        path
    }
}

/// The folder of an artifact location or URI; `None` if it is not on this machine.
pub fn local_folder(location: &str) -> Option<PathBuf> {
    let path = match location.strip_prefix("file:") {
        Some(rest) => {
            // `file:/a` is short for `file:///a`.
            let encoded = rest.strip_prefix("//").unwrap_or(rest);
            let path = encoded.strip_prefix("localhost").unwrap_or(encoded);
            percent_decode_str(path).decode_utf8().ok()?.into_owned()
        }
        None => location.to_owned(),
    };
    path.starts_with('/').then(|| PathBuf::from(path))
}

/// The folder of a location `mlflow-artifacts:/a/b` on the server that passes these artifacts on. `None` for another kind of
/// location, and for one that would leave the folder.
pub(crate) fn proxied_folder(destination: &Path, location: &str) -> Option<PathBuf> {
    let path = location.strip_prefix("mlflow-artifacts:")?;
    // `mlflow-artifacts://host:port/a/b` names the server, too.
    let path = match path.strip_prefix("//") {
        Some(with_host) => with_host.split_once('/').map_or("", |(_, path)| path),
        None => path,
    };
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let relative = path.trim_start_matches('/');
    let is_inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    Path::new(relative).components().all(is_inside).then(|| destination.join(relative))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn location_of_a_folder_reads_back() {
        for folder in ["/a/b", "/a b/%20", "/a#b?"] {
            assert_eq!(local_folder(&location_of(Path::new(folder))), Some(PathBuf::from(folder)));
        }
    }

    #[test]
    fn proxied_location_lies_below_the_destination() {
        let folder = |location| proxied_folder(Path::new("/srv"), location);
        for (location, expected) in [
            ("mlflow-artifacts:/1/a/artifacts", "/srv/1/a/artifacts"),
            ("mlflow-artifacts:///1/a", "/srv/1/a"),
            ("mlflow-artifacts://host:5000/1/a", "/srv/1/a"),
            ("mlflow-artifacts:/1/a%20b", "/srv/1/a b"),
        ] {
            assert_eq!(folder(location), Some(PathBuf::from(expected)), "{location}");
        }
        for location in
            ["/1/a", "s3://b/1", "mlflow-artifacts:/1/../../a", "mlflow-artifacts:/%2e%2e/a"]
        {
            assert_eq!(folder(location), None, "{location}");
        }
    }

    #[test]
    fn only_absolute_paths_and_file_uris_are_local() {
        assert_eq!(local_folder("/a/b"), Some(PathBuf::from("/a/b")));
        assert_eq!(local_folder("file:///a/b%20c"), Some(PathBuf::from("/a/b c")));
        assert_eq!(local_folder("file:/a/b%20c"), Some(PathBuf::from("/a/b c")));
        assert_eq!(local_folder("file://host/a"), None);
        assert_eq!(local_folder("/a/b%20c"), Some(PathBuf::from("/a/b%20c")));
        assert_eq!(local_folder("mlflow-artifacts:/1"), None);
        assert_eq!(local_folder("s3://bucket/a"), None);
    }
}
