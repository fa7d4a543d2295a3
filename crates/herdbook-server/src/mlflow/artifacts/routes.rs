//! The routes whose requests or answers are files.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::routing::{get, post};
use herdbook_mlflow::{Code, artifacts, logged_models};

use crate::app::{App, blocking};
use crate::mlflow::artifacts::download::{Door, NoFile, Opened, open};
use crate::mlflow::artifacts::path::{name_to_write, safe};
use crate::mlflow::artifacts::place::{Place, join};
use crate::mlflow::artifacts::upload::{drain, receive};
use crate::mlflow::wire::failure::Failure;
use crate::mlflow::wire::page::page;
use crate::mlflow::wire::request::parameters;

/// Where the proxy is, and its twin for the pages of MLflow's UI.
pub(crate) const PROXIES: [&str; 2] =
    ["/api/2.0/mlflow-artifacts", "/ajax-api/2.0/mlflow-artifacts"];
/// Most bytes that a browser may upload.
const MAX_BROWSER_UPLOAD: usize = 10 << 20;
/// The part of a path before that of a logged model.
const MODELS: &str = "/ajax-api/2.0/mlflow/logged-models/";

/// Adds the routes to a router.
pub(crate) fn add(mut router: Router<App>) -> Router<App> {
    for proxy in PROXIES {
        let file = || get(download).put(upload);
        router = router
            .route(&format!("{proxy}/artifacts/"), file())
            .route(&format!("{proxy}/artifacts/{{*path}}"), file());
    }
    router
        .route("/get-artifact", get(file_of_run))
        .route("/model-versions/get-artifact", get(file_of_version))
        .route(&format!("{MODELS}{{model_id}}/artifacts/files"), get(file_of_model))
        .route("/ajax-api/2.0/mlflow/upload-artifact", post(upload_of_browser))
}

/// The path below the proxy's route, still encoded.
fn encoded_path(parts: &Parts) -> String {
    let whole = parts.uri.path();
    whole.split_once("/mlflow-artifacts/artifacts/").map_or("", |(_, path)| path).to_owned()
}

async fn download(State(app): State<App>, request: Request) -> Response<Body> {
    let (parts, _) = request.into_parts();
    let path = encoded_path(&parts);
    let opened = blocking(move || {
        let place = Place::proxied(&app, safe(&path)?)?;
        let name = place.shown.rsplit('/').next().unwrap_or_default().to_owned();
        open(&place, &name)
    });
    match opened.await {
        Some(Err(NoFile::Folder(text))) => detail(&text),
        opened => file_answer(opened, Door::Proxy, &parts),
    }
}

async fn upload(State(app): State<App>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let path = match safe(&encoded_path(&parts)) {
        Ok(path) if path.is_empty() || path.ends_with('/') => {
            drain(body).await;
            return detail("Artifact path must include a filename (cannot end with '/').");
        }
        Ok(path) => path,
        Err(failure) => {
            drain(body).await;
            return failure.response();
        }
    };
    match store(app, path, body).await {
        Ok(()) => Response::new(Body::empty()),
        Err(failure) => failure.response(),
    }
}

/// Writes a body to a path below the proxy's root.
async fn store(app: App, path: String, body: Body) -> Result<(), Failure> {
    let place = blocking(move || {
        name_to_write(&path)?;
        Place::proxied(&app, path)?.below_root()
    });
    match place.await.unwrap_or_else(|| Err(panicked())) {
        Ok(place) => receive(place, body).await,
        Err(failure) => {
            drain(body).await;
            Err(failure)
        }
    }
}

async fn file_of_run(State(app): State<App>, request: Request) -> Response<Body> {
    let (parts, _) = request.into_parts();
    let query = Query::of(&parts);
    let Some(path) = query.get("path").map(str::to_owned) else { return bad_request() };
    let given = |name: &str| query.get(name).filter(|id| !id.is_empty()).map(str::to_owned);
    let run_id = given("run_id").or_else(|| query.get("run_uuid").map(str::to_owned));
    let opened = blocking(move || {
        let path = safe(&path)?;
        let location = artifacts::run_location(app.session(), run_id.as_deref())?;
        open_below(&app, run_id.as_deref().unwrap_or_default(), &location, &path)
    });
    file_answer(opened.await, Door::Page, &parts)
}

async fn file_of_version(State(app): State<App>, request: Request) -> Response<Body> {
    let (parts, _) = request.into_parts();
    let query = Query::of(&parts);
    let Some(path) = query.get("path").map(str::to_owned) else { return bad_request() };
    let value = |name: &str| query.get(name).unwrap_or_default().to_owned();
    let (name, version) = (value("name"), value("version"));
    let opened = blocking(move || {
        let path = safe(&path)?;
        let location = artifacts::version_location(app.session(), &name, &version)?;
        open_below(&app, &name, &location, &path)
    });
    file_answer(opened.await, Door::Page, &parts)
}

async fn file_of_model(State(app): State<App>, request: Request) -> Response<Body> {
    let (parts, _) = request.into_parts();
    let path = Query::of(&parts).get("artifact_file_path").unwrap_or_default().to_owned();
    if path.is_empty() {
        let text = "Request must include the \"artifact_file_path\" query parameter.";
        return Failure::new(Code::BadRequest, text).response();
    }
    let whole = parts.uri.path().strip_prefix(MODELS).unwrap_or_default();
    let model_id = whole.split('/').next().unwrap_or_default().to_owned();
    let opened = blocking(move || {
        let path = safe(&path)?;
        let model = logged_models::get(app.session(), &model_id, false)?;
        open_below(&app, &model_id, &model.artifact_location, &path)
    });
    file_answer(opened.await, Door::Page, &parts)
}

fn open_below(app: &App, owner: &str, location: &str, path: &str) -> Result<Opened, NoFile> {
    let place = Place::below(app, owner, location, Some(path))?;
    open(&place, place.name())
}

async fn upload_of_browser(State(app): State<App>, request: Request) -> Response<Body> {
    let (parts, mut body) = request.into_parts();
    let outcome = stored_for_browser(app, &parts, &mut body).await;
    drain(body).await;
    match outcome {
        Ok(()) => {
            let mut response = Response::new(Body::empty());
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
            response
        }
        Err(failure) => failure.response(),
    }
}

async fn stored_for_browser(app: App, parts: &Parts, body: &mut Body) -> Result<(), Failure> {
    let query = Query::of(parts);
    let required = |name: &str| match query.get(name) {
        None | Some("") => Err(Failure::invalid(format!("Request must specify {name}."))),
        Some(value) => Ok(value.to_owned()),
    };
    let run_id = required("run_uuid")?;
    let path = safe(&required("path")?)?;
    let too_large = || Failure::invalid("Artifact size is too large. Max size is 10MB.");
    let declared = parts.headers.get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|n_bytes| n_bytes > MAX_BROWSER_UPLOAD as u64) {
        return Err(too_large());
    }
    let data = to_bytes(std::mem::take(body), MAX_BROWSER_UPLOAD).await.map_err(|_| too_large())?;
    if data.is_empty() || is_form(parts) {
        return Err(Failure::invalid("Request must specify data."));
    }
    if path.ends_with('/') {
        return Err(Failure::invalid("The path must end with the name of a file."));
    }
    let place = blocking(move || {
        let location = artifacts::run_location(app.session(), Some(&run_id))?;
        let place = Place::to_write(&app, &location, &path)?;
        name_to_write(&join("x", &path))?;
        Ok(place)
    });
    receive(place.await.unwrap_or_else(|| Err(panicked()))?, Body::from(data)).await
}

/// Whether the body is a form, whose content is not the file.
fn is_form(parts: &Parts) -> bool {
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    ["application/x-www-form-urlencoded", "multipart/form-data"].contains(&kind)
}

/// The parameters of a query.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(parts: &Parts) -> Self {
        Self(parameters(parts.uri.query().unwrap_or_default()))
    }

    /// The first value of a parameter.
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The answer with an opened file; `None` if the server panicked.
fn file_answer(
    opened: Option<Result<Opened, NoFile>>,
    door: Door,
    parts: &Parts,
) -> Response<Body> {
    match opened {
        Some(Ok(opened)) => opened.response(door, &parts.headers),
        Some(Err(NoFile::Refused(failure))) => failure.response(),
        Some(Err(NoFile::Folder(text))) => Failure::invalid(text).response(),
        None => panicked().response(),
    }
}

fn panicked() -> Failure {
    Failure::new(Code::InternalError, "the request failed inside the server")
}

/// The form in which MLflow's proxy refuses a path, without a code.
fn detail(text: &str) -> Response<Body> {
    let body = serde_json::json!({ "detail": text }).to_string();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn bad_request() -> Response<Body> {
    page(StatusCode::BAD_REQUEST, "Bad Request")
}
