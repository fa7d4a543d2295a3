//! The table of all routes of MLflow's API.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, Uri, header};
use axum::middleware::map_response;

use crate::app::App;
use crate::mlflow::artifacts::{self, routes};
use crate::mlflow::wire::page::page;
use crate::mlflow::{
    endpoint, experiments, logged_models, metrics, model_versions, probes, registered_models, runs,
    unserved,
};

/// The API, and its twin for the pages of MLflow's UI.
const PREFIXES: [&str; 2] = ["/api/2.0/mlflow", UI_PREFIX];
const UI_PREFIX: &str = "/ajax-api/2.0/mlflow";

pub(crate) fn router() -> Router<App> {
    let groups = [
        artifacts::ENDPOINTS,
        experiments::ENDPOINTS,
        logged_models::ENDPOINTS,
        metrics::ENDPOINTS,
        model_versions::ENDPOINTS,
        registered_models::ENDPOINTS,
        runs::ENDPOINTS,
        runs::LOG_ENDPOINTS,
    ];
    let ui_groups = [experiments::UI_ENDPOINTS, metrics::UI_ENDPOINTS];
    let router = groups
        .into_iter()
        .fold(Router::new(), |router, group| endpoint::add(router, &PREFIXES, group));
    let router = ui_groups
        .into_iter()
        .fold(router, |router, group| endpoint::add(router, &[UI_PREFIX], group));
    let router = endpoint::add(router, &routes::PROXIES, artifacts::PROXY_ENDPOINTS);
    probes::add(routes::add(router))
        .fallback(async |uri: Uri| match unserved::refusal(uri.path()) {
            Some(failure) => failure.response(),
            None => page(StatusCode::NOT_FOUND, "Not Found"),
        })
        .method_not_allowed_fallback(async || {
            page(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
        })
        .layer(map_response(async |response: Response<Body>| secured(response)))
}

/// The answer with the headers that MLflow's server adds to each: browsers must not guess a type, nor show an answer inside a
/// page of another server.
fn secured(mut response: Response<Body>) -> Response<Body> {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "SAMEORIGIN"),
        (header::VARY, "Origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
