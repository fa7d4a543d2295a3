//! Whether the server works, and what it can do.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use axum::routing::get;
use serde::Serialize;

use crate::app::App;
use crate::mlflow::wire::answer::answer;

/// The version of MLflow whose API is served.
const MLFLOW_VERSION: &str = "3.17.2";

/// The capabilities that MLflow's clients look up.
#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the fields are MLflow's")]
struct ServerInfo {
    store_type: &'static str,
    workspaces_enabled: bool,
    trace_archival_enabled: bool,
    multipart_uploads_enabled: bool,
    multipart_downloads_enabled: bool,
    presigned_upload_run_id_supported: bool,
    presigned_upload_model_id_supported: bool,
    features_enabled: Features,
}

#[derive(Serialize)]
struct Features {
    gateway: bool,
}

pub(crate) fn add(router: Router<App>) -> Router<App> {
    router
        .route("/health", get(async || plain("OK")))
        .route("/version", get(async || plain(MLFLOW_VERSION)))
        .route("/api/3.0/mlflow/server-info", get(server_info))
        .route("/ajax-api/3.0/mlflow/server-info", get(server_info))
}

async fn server_info() -> Response<Body> {
    // Multipart and presigned transfers do not exist here. Clients then use plain requests.
    let info = ServerInfo {
        store_type: "SqlStore",
        workspaces_enabled: false,
        trace_archival_enabled: false,
        multipart_uploads_enabled: false,
        multipart_downloads_enabled: false,
        presigned_upload_run_id_supported: true,
        presigned_upload_model_id_supported: true,
        features_enabled: Features { gateway: false },
    };
    match answer(&info) {
        Ok(answer) => answer.response(),
        Err(failure) => failure.response(),
    }
}

fn plain(text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
