//! An endpoint of MLflow's API: how its request is read, and what is done.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{RawPathParams, Request, State};
use axum::http::{Method, Response, header};
use axum::routing::{MethodFilter, on};
use herdbook_mlflow::Code;
use tokio::time::timeout;

use crate::app::{App, blocking};
use crate::mlflow::wire::answer::Answer;
use crate::mlflow::wire::check::Schema;
use crate::mlflow::wire::failure::Failure;
use crate::mlflow::wire::message::{Field, Message};
use crate::mlflow::wire::request::{Raw, parameters};

/// Most bytes of a request with JSON. The largest record that MLflow takes, a dataset's profile, has 16 MiB.
const MAX_BODY: usize = 64 << 20;
/// How long the body of a request with JSON may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// The header with the workspace of a request. Servers without workspaces refuse it.
const WORKSPACE: &str = "x-mlflow-workspace";

/// An endpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Endpoint {
    pub(crate) method: Verb,
    /// The path below `/api/2.0/mlflow/`.
    pub(crate) path: &'static str,
    /// The fields of its message.
    pub(crate) fields: &'static [Field],
    /// The checks of its parameters.
    pub(crate) schema: Schema,
    /// What is done, on a thread that may wait.
    pub(crate) act: fn(&App, &Call) -> Result<Answer, Failure>,
}

/// The methods of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Patch,
    Delete,
    /// Both of them do the same.
    GetOrPost,
}

impl Verb {
    fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
            Self::GetOrPost => MethodFilter::GET.or(MethodFilter::POST),
        }
    }
}

/// A request whose message was read.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) message: Message,
    path: Vec<(String, String)>,
    query: String,
}

impl Call {
    /// A part of the path, decoded; empty if the path has no such part.
    pub(crate) fn path(&self, name: &str) -> &str {
        self.path.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The parameters of the query, whatever the method.
    pub(crate) fn query(&self) -> Vec<(String, String)> {
        parameters(&self.query)
    }

    /// The id of the run that the request names, in the new or the old spelling.
    pub(crate) fn run_id(&self) -> &str {
        match self.message.text("run_id") {
            "" => self.message.text("run_uuid"),
            run_id => run_id,
        }
    }
}

/// Adds endpoints to a router, below each of the prefixes.
pub(crate) fn add(
    mut router: Router<App>,
    prefixes: &[&str],
    endpoints: &'static [Endpoint],
) -> Router<App> {
    for endpoint in endpoints {
        for prefix in prefixes {
            let path = format!("{prefix}/{}", endpoint.path);
            router = router.route(
                &path,
                on(
                    endpoint.method.filter(),
                    move |State(app): State<App>, path: RawPathParams, request: Request| {
                        handle(endpoint, app, path, request)
                    },
                ),
            );
        }
    }
    router
}

async fn handle(
    endpoint: &'static Endpoint,
    app: App,
    path: RawPathParams,
    request: Request,
) -> Response<Body> {
    match call(endpoint, &app, &path, request).await {
        Ok(call) => finish(blocking(move || (endpoint.act)(&app, &call)).await),
        Err(failure) => failure.response(),
    }
}

/// The answer of an act; `None` if it panicked.
fn finish(outcome: Option<Result<Answer, Failure>>) -> Response<Body> {
    match outcome {
        Some(Ok(answer)) => answer.response(),
        Some(Err(failure)) => failure.response(),
        None => {
            Failure::new(Code::InternalError, "the request failed inside the server").response()
        }
    }
}

/// Reads a request.
async fn call(
    endpoint: &Endpoint,
    app: &App,
    path: &RawPathParams,
    request: Request,
) -> Result<Call, Failure> {
    let (parts, body) = request.into_parts();
    if let Some(workspace) = parts.headers.get(WORKSPACE)
        && !workspace.as_bytes().trim_ascii().is_empty()
    {
        return Err(Failure::new(Code::FeatureDisabled, NO_WORKSPACES));
    }
    let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let length = length.and_then(|length| length.parse().ok());
    let length = length.unwrap_or(if body.is_end_stream() { 0 } else { MAX_BODY as u64 });
    if length > MAX_BODY as u64 {
        return Err(Failure::new(
            Code::BadRequest,
            format!("The body of the request has more than {MAX_BODY} bytes."),
        ));
    }
    let _room = app.room_for_body(length).await;
    let body = match timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => {
            return Err(Failure::new(
                Code::BadRequest,
                format!(
                    "The body of the request did not arrive, or has more than {MAX_BODY} bytes."
                ),
            ));
        }
        Err(_) => {
            let seconds = BODY_TIMEOUT.as_secs();
            return Err(Failure::new(
                Code::BadRequest,
                format!("The body of the request did not arrive in {seconds} seconds."),
            ));
        }
    };
    let method = if parts.method == Method::HEAD { Method::GET } else { parts.method };
    let query = parts.uri.query().unwrap_or_default();
    let raw = Raw { method: &method, headers: &parts.headers, query, body: &body };
    Ok(Call {
        message: raw.message(endpoint.fields, endpoint.schema)?,
        path: path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        query: query.to_owned(),
    })
}

const NO_WORKSPACES: &str = "Workspaces are not enabled on this server. \
                             Requests must not have the header X-MLFLOW-WORKSPACE.";
