//! A request: its path, its query and its body, each with a limit.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::{HeaderMap, Response, StatusCode, header};
use herdbook_domain::{ModelName, RunId, VersionKey, VersionNumber};
use serde::de::DeserializeOwned;

use crate::native::failure::Failure;
use crate::native::query;

/// Most bytes of a body. The largest is a promotion with a reason of 2,000 characters.
const MAX_BODY: usize = 64 << 10;

/// A request that was read.
#[derive(Debug)]
pub(super) struct Call {
    path: Vec<(String, String)>,
    query: String,
    headers: HeaderMap,
    body: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for Call {
    type Rejection = Response<Body>;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response<Body>> {
        Self::read(request, state).await.map_err(|failure| failure.response())
    }
}

impl Call {
    async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let path = RawPathParams::from_request_parts(&mut parts, state)
            .await
            .map_err(|_| Failure::invalid("the path is not UTF-8"))?;
        let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let body = to_bytes(body, MAX_BODY).await.map_err(|_| {
            Failure::invalid(format!(
                "the body could not be read, or has more than {MAX_BODY} bytes"
            ))
            .with_status(StatusCode::PAYLOAD_TOO_LARGE)
        })?;
        let query = parts.uri.query().unwrap_or_default().to_owned();
        Ok(Self { path, query, headers: parts.headers, body })
    }

    /// A part of the path, decoded.
    pub(super) fn path(&self, name: &str) -> &str {
        self.path.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The model that the path names.
    pub(super) fn model(&self) -> Result<ModelName, Failure> {
        Ok(ModelName::parse(self.path("name"))?)
    }

    /// The version that the path names.
    pub(super) fn version(&self) -> Result<VersionKey, Failure> {
        Ok(VersionKey { name: self.model()?, version: parse_version(self.path("version"))? })
    }

    /// The run that the path names.
    pub(super) fn run_id(&self) -> Result<RunId, Failure> {
        Ok(RunId::parse(self.path("run_id"))?)
    }

    /// The parameters.
    pub(super) fn query<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        query::parse(&self.query).map_err(Failure::invalid)
    }

    /// A header, if it is plain text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON. It must say that it is: a page of another site cannot send that type without asking first.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let kind = self.header(header::CONTENT_TYPE.as_str()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(Failure::invalid("the body must have `Content-Type: application/json`")
                .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| Failure::invalid(format!("the body is not as expected: {error}")))
    }
}

/// The number of a version.
pub(super) fn parse_version(text: &str) -> Result<VersionNumber, Failure> {
    text.parse().ok().and_then(|number: i64| VersionNumber::new(number)).ok_or_else(|| {
        let text: String = text.chars().take(40).collect();
        Failure::invalid(format!("`{}` is not the number of a version", text.escape_debug()))
    })
}
