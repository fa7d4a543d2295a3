//! The files of a version: those among the artifacts of its run.

use std::io::{ErrorKind, Read};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, Response, header};
use herdbook_domain::RunId;
use herdbook_store::{ArtifactStore, Content, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::blocking;
use crate::native::call::Call;
use crate::native::failure::{ErrorBody, Failure};
use crate::native::state::{Native, finished, refused};
use crate::native::stream::{self, Sender};

/// Bytes that are read at a time, and how many such blocks wait for the client.
const BLOCK: usize = 256 << 10;
const N_WAITING: usize = 2;
/// Most entries of a folder in an answer.
const MAX_ENTRIES: usize = 1_000;

/// Which folder to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The folder, relative to the artifacts of the run; all of them unless given.
    path: String,
}

/// The files in a folder.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Folder {
    /// The run that has the files among its artifacts.
    run_id: String,
    path: String,
    /// Sorted by name, at most 1,000.
    files: Vec<FileEntry>,
    is_cut: bool,
}

/// A file or folder.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FileEntry {
    /// Relative to the artifacts of the run.
    path: String,
    is_folder: bool,
    n_bytes: Option<u64>,
}

/// The files of a version's run in a folder.
#[utoipa::path(get, path = "/models/{name}/versions/{version}/files", tag = "files",
    params(("name" = String, Path, description = "The registered model"),
        ("version" = u32, Path, description = "The number of the version"), Asked),
    responses((status = 200, body = Folder), (status = "default", body = ErrorBody)))]
pub(super) async fn list_files(State(native): State<Native>, call: Call) -> Response<Body> {
    native
        .answer(call, |native, call| {
            let asked: Asked = call.query()?;
            let folder = relative(&asked.path)?;
            let run_id = run_of(native, call)?;
            let artifacts = native.store().artifacts(&run_id)?;
            let mut found = if leaves_root(&*artifacts, &folder) {
                return Err(missing(&folder));
            } else {
                artifacts.list(&folder).map_err(readable)?
            };
            let is_cut = found.len() > MAX_ENTRIES;
            found.truncate(MAX_ENTRIES);
            let below = |name: &str| match folder.as_str() {
                "" => name.to_owned(),
                folder => format!("{folder}/{name}"),
            };
            let files = found.iter().map(|entry| FileEntry {
                path: below(&entry.name),
                is_folder: entry.is_folder,
                n_bytes: entry.n_bytes,
            });
            let files = files.collect();
            Ok(Folder { run_id: run_id.to_string(), path: folder, files, is_cut })
        })
        .await
}

/// The content of a file of a version's run.
#[utoipa::path(get, path = "/models/{name}/versions/{version}/files/{path}", tag = "files",
    params(("name" = String, Path, description = "The registered model"),
        ("version" = u32, Path, description = "The number of the version"),
        ("path" = String, Path, description = "The file, relative to the artifacts of the run; a `/` stays as it is")),
    responses((status = 200, description = "The content", content_type = "application/octet-stream"),
        (status = "default", body = ErrorBody)))]
pub(super) async fn download_file(State(native): State<Native>, call: Call) -> Response<Body> {
    let of_call = native.clone();
    let opened = blocking(move || {
        let native = of_call;
        let path = relative(call.path("path"))?;
        let run_id = run_of(&native, &call)?;
        let artifacts = native.store().artifacts(&run_id)?;
        let is_folder = artifacts.local_path(&path).is_some_and(|path| path.is_dir());
        if is_folder || leaves_root(&*artifacts, &path) {
            return Err(missing(&path));
        }
        let content = artifacts.open(&path, None).map_err(readable)?;
        let content = content.ok_or_else(|| missing(&path))?;
        Ok((content, artifacts.stamp(&path).map(|stamp| stamp.n_bytes)))
    });
    match finished(opened.await) {
        Ok((content, n_bytes)) => download(content, n_bytes),
        Err(failure) => refused(&failure),
    }
}

fn run_of(native: &Native, call: &Call) -> Result<RunId, Failure> {
    let version = native.store().version(&call.version()?)?;
    version.run_id.ok_or_else(|| {
        Failure::not_found(format!("{} has no run, so it has no files", version.key))
    })
}

/// A path that stays below its root: parts with `/` between them, without `.` and `..`.
fn relative(path: &str) -> Result<String, Failure> {
    let is_plain = |part: &str| {
        !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', '\0'])
    };
    if path.is_empty() || path.split('/').all(is_plain) {
        return Ok(path.to_owned());
    }
    let path: String = path.chars().take(200).collect();
    Err(Failure::invalid(format!(
        "`{}` is not a path below the artifacts of a run",
        path.escape_debug()
    )))
}

/// Whether a link leads out of the artifacts, to other files of the server.
fn leaves_root(artifacts: &dyn ArtifactStore, path: &str) -> bool {
    let (Some(root), Some(file)) = (artifacts.local_path(""), artifacts.local_path(path)) else {
        return false;
    };
    match (root.canonicalize(), file.canonicalize()) {
        (Ok(root), Ok(file)) => !file.starts_with(root),
        // What does not exist leads nowhere.
        _ => false,
    }
}

fn missing(path: &str) -> Failure {
    Failure::not_found(format!("there is no file `{}`", path.escape_debug()))
        .with_hint("leave out the path to list the files")
}

/// The failure of a file or folder that cannot be read. A missing one is the caller's business.
fn readable(error: StoreError) -> Failure {
    match error {
        StoreError::Artifact { source, .. }
            if matches!(
                source.kind(),
                ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidInput
            ) =>
        {
            Failure::not_found("there is no such file or folder")
        }
        error => error.into(),
    }
}

fn download(content: Content, n_bytes: Option<u64>) -> Response<Body> {
    let (sender, body) = stream::body(N_WAITING);
    tokio::spawn(send(content, sender));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(n_bytes) = n_bytes {
        headers.insert(header::CONTENT_LENGTH, n_bytes.into());
    }
    response
}

/// Sends a file block by block, so that a slow client holds no thread and little memory.
async fn send(mut content: Content, sender: Sender) {
    loop {
        let read = blocking(move || {
            let mut block = Vec::with_capacity(BLOCK);
            let read = content.by_ref().take(BLOCK as u64).read_to_end(&mut block);
            (content, read.map(|_| Bytes::from(block)))
        });
        let Some((returned, block)) = read.await else { return };
        content = returned;
        let is_end = block.as_ref().map_or(true, Bytes::is_empty);
        if matches!(&block, Ok(bytes) if bytes.is_empty()) {
            return;
        }
        if sender.send(block).await.is_err() || is_end {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_cannot_leave_the_artifacts() {
        for path in ["", "models/1H/model.zip", "a b/c", "..a/b.."] {
            assert!(relative(path).is_ok(), "{path}");
        }
        for path in ["/etc/passwd", "..", "a/../b", "a//b", "./a", "a/", "a\\..\\b", "a\0"] {
            assert!(relative(path).is_err(), "{path}");
        }
    }
}
