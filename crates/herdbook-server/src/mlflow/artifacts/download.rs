//! Answers with the content of a file.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use herdbook_mlflow::{Code, MlflowError};
use herdbook_store::artifacts::regular::open_regular;
use uuid::Uuid;

use crate::mlflow::artifacts::kind::{attachment, content_type};
use crate::mlflow::artifacts::place::{Place, refused_path};
use crate::mlflow::artifacts::range::{Wanted, single, wanted};
use crate::mlflow::artifacts::stream::{Part, body};
use crate::mlflow::wire::failure::Failure;
use crate::mlflow::wire::page::page;

/// Which of MLflow's two ways to send a file is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// The artifact proxy, used by clients.
    Proxy,
    /// The calls of MLflow's web page.
    Page,
}

impl From<MlflowError> for NoFile {
    fn from(error: MlflowError) -> Self {
        Self::Refused(error.into())
    }
}

/// An opened file.
#[derive(Debug)]
pub(super) struct Opened {
    file: File,
    n_bytes: u64,
    modified: SystemTime,
    content_type: &'static str,
    disposition: String,
}

/// Why there is no file.
#[derive(Debug)]
pub(super) enum NoFile {
    Refused(Failure),
    /// The path is a folder.
    Folder(String),
}

impl From<Failure> for NoFile {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}

/// Opens the file at a place, to be stored under a name.
pub(super) fn open(place: &Place, name: &str) -> Result<Opened, NoFile> {
    let target = place.on_disk()?;
    let opened = open_regular(&target).and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, file) = opened.map_err(|error| no_file(place, &error))?;
    Ok(Opened {
        n_bytes: metadata.len(),
        modified: metadata.modified().unwrap_or(UNIX_EPOCH),
        file,
        content_type: content_type(place.name()),
        disposition: attachment(name),
    })
}

fn no_file(place: &Place, error: &io::Error) -> NoFile {
    match error.kind() {
        ErrorKind::IsADirectory => NoFile::Folder(place.is_folder()),
        ErrorKind::NotFound | ErrorKind::NotADirectory => place.missing().into(),
        kind => NoFile::Refused(refused_path(kind).map_or_else(
            || Failure::new(Code::InternalError, "the server cannot read this artifact"),
            Failure::invalid,
        )),
    }
}

impl Opened {
    /// The answer to a request with these headers.
    pub(super) fn response(self, door: Door, request: &HeaderMap) -> Response<Body> {
        let tag = self.entity_tag();
        let date = httpdate::fmt_http_date(self.modified);
        let given = |name: HeaderName| request.get(name).and_then(|value| value.to_str().ok());
        if door == Door::Page && given(header::IF_NONE_MATCH).is_some_and(|tags| names(tags, &tag))
        {
            let mut response = self.head(StatusCode::NOT_MODIFIED, &tag, &date);
            response.headers_mut().remove(header::CONTENT_TYPE);
            return response;
        }
        let is_current = |value: &str| value == tag || value == date;
        let asked = given(header::RANGE).filter(|_| given(header::IF_RANGE).is_none_or(is_current));
        let choice = match (asked, door) {
            (None, _) => Wanted::All,
            (Some(range), Door::Proxy) => wanted(range, self.n_bytes),
            (Some(range), Door::Page) => single(range, self.n_bytes),
        };
        match choice {
            Wanted::All => {
                let response = self.head(StatusCode::OK, &tag, &date);
                let all = vec![Part::Bytes(0, self.n_bytes)];
                response.map(|_| body(self.file, all))
            }
            Wanted::Parts(parts) => self.partial(parts, &tag, &date),
            Wanted::Unsatisfiable => unsatisfiable(door, self.n_bytes),
            Wanted::Malformed(text) => text_answer(StatusCode::BAD_REQUEST, text),
        }
    }

    /// An answer with some parts of the file.
    fn partial(self, parts: Vec<(u64, u64)>, tag: &str, date: &str) -> Response<Body> {
        let mut response = self.head(StatusCode::PARTIAL_CONTENT, tag, date);
        let range =
            |(start, end): (u64, u64)| format!("bytes {start}-{}/{}", end - 1, self.n_bytes);
        if let [part] = parts[..] {
            set(&mut response, header::CONTENT_RANGE, &range(part));
            return response.map(|_| body(self.file, vec![Part::Bytes(part.0, part.1)]));
        }
        let boundary = Uuid::new_v4().simple().to_string()[..26].to_owned();
        let mut all = Vec::new();
        for part in parts {
            let kind = self.content_type;
            all.push(Part::Text(format!(
                "--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {}\r\n\r\n",
                range(part)
            )));
            all.push(Part::Bytes(part.0, part.1));
            all.push(Part::Text("\r\n".to_owned()));
        }
        all.push(Part::Text(format!("--{boundary}--")));
        let kind = format!("multipart/byteranges; boundary={boundary}");
        set(&mut response, header::CONTENT_TYPE, &kind);
        response.map(|_| body(self.file, all))
    }

    /// An answer with the headers of the file and no content.
    fn head(&self, status: StatusCode, tag: &str, date: &str) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        for (name, value) in [
            (header::CONTENT_TYPE, self.content_type),
            (header::CONTENT_DISPOSITION, &self.disposition),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::ACCEPT_RANGES, "bytes"),
            (header::LAST_MODIFIED, date),
            (header::ETAG, tag),
        ] {
            set(&mut response, name, value);
        }
        response
    }

    /// Changes when the file does.
    fn entity_tag(&self) -> String {
        let since = self.modified.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        format!("\"{:x}-{:x}\"", since.as_nanos(), self.n_bytes)
    }
}

/// Whether a list of entity tags names this one.
fn names(list: &str, tag: &str) -> bool {
    list.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

fn unsatisfiable(door: Door, n_bytes: u64) -> Response<Body> {
    let status = StatusCode::RANGE_NOT_SATISFIABLE;
    let mut response = match door {
        Door::Proxy => text_answer(status, ""),
        Door::Page => page(status, "Requested Range Not Satisfiable"),
    };
    set(&mut response, header::CONTENT_RANGE, &format!("bytes */{n_bytes}"));
    response
}

fn text_answer(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    set(&mut response, header::CONTENT_TYPE, "text/plain; charset=utf-8");
    response
}

fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    // Names of files hold no control characters here, see `path::safe`.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
