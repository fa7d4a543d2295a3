//! Lists of files.

use serde::Serialize;

use crate::app::App;
use crate::mlflow::artifacts::path::{RESERVED, safe};
use crate::mlflow::artifacts::place::{Place, join};
use crate::mlflow::wire::answer::{Answer, answer};
use crate::mlflow::wire::failure::Failure;

/// Digits of the random part of the names under which the store writes files.
const ID_DIGITS: usize = 32;

/// A file or folder on the wire.
#[derive(Serialize)]
pub(super) struct FileInfo {
    path: String,
    is_dir: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_size: Option<u64>,
}

#[derive(Serialize)]
struct Files {
    #[serde(skip_serializing_if = "Option::is_none")]
    root_uri: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    files: Vec<FileInfo>,
}

/// Lists a folder below the location of a run or logged model. The paths are relative to the location.
pub(super) fn below(
    app: &App,
    owner: &str,
    location: String,
    path: Option<&str>,
) -> Result<Answer, Failure> {
    let place = Place::below(app, owner, &location, path)?;
    let path = path.unwrap_or_default();
    let files = entries(&place, |name| if path.is_empty() { name } else { join(path, &name) })?;
    answer(&Files { root_uri: Some(location), files })
}

/// Lists a folder below the root of the proxy. The paths are names.
pub(super) fn of_proxy(app: &App, path: Option<&str>) -> Result<Answer, Failure> {
    let path = path.map(safe).transpose()?.unwrap_or_default();
    let place = Place::proxied(app, path)?;
    answer(&Files { root_uri: None, files: entries(&place, |name| name)? })
}

/// The entries of a folder, sorted by name; none if there is no folder.
fn entries(place: &Place, path: impl Fn(String) -> String) -> Result<Vec<FileInfo>, Failure> {
    if !place.on_disk()?.is_dir() {
        return Ok(Vec::new());
    }
    let entries = place.store.list(&place.path)?;
    Ok(entries
        .into_iter()
        .filter(|entry| !is_unfinished(&entry.name))
        .map(|entry| FileInfo {
            path: path(entry.name),
            is_dir: entry.is_folder,
            // MLflow leaves out the size of an empty file.
            file_size: entry.n_bytes.filter(|n_bytes| *n_bytes > 0),
        })
        .collect())
}

/// Whether this is the name of a file that is being written, by this store or by MLflow.
fn is_unfinished(name: &str) -> bool {
    let is_id = |id: &str| id.len() == ID_DIGITS && id.bytes().all(|b| b.is_ascii_hexdigit());
    let of_store = name
        .strip_prefix('.')
        .and_then(|rest| rest.strip_suffix(".tmp"))
        .and_then(|rest| rest.rsplit_once('.'))
        .is_some_and(|(_, id)| is_id(id));
    of_store || name.starts_with(RESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_being_written_are_not_listed() {
        let id = "0123456789abcdef0123456789abcdef";
        assert!(is_unfinished(&format!(".a.txt.{id}.tmp")));
        assert!(is_unfinished(".artifact.uploading.x"));
        for name in ["a.tmp", ".a.tmp", ".a.b.tmp", &format!("a.{id}.tmp"), ".hidden"] {
            assert!(!is_unfinished(name), "{name}");
        }
    }
}
