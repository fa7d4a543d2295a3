//! The table of the native API's routes.

use axum::Router;
use axum::body::Body;
use axum::http::{Response, StatusCode};
use axum::routing::{MethodRouter, get, post};

use crate::native::failure::{Code, Failure};
use crate::native::state::Native;
use crate::native::{
    artifacts, board, champion, compare, events, history, info, lineage, models, openapi,
    promotion, runs, versions,
};

/// The path of the API.
const PREFIX: &str = "/api/herdbook/v1";

fn routes() -> [(&'static str, MethodRouter<Native>); 18] {
    [
        ("/openapi.json", get(openapi::get_document)),
        ("/info", get(info::get_info)),
        ("/board", get(board::get_board)),
        ("/models", get(models::list_models)),
        ("/models/{name}", get(models::get_model)),
        ("/models/{name}/champion", get(champion::get_champion)),
        ("/models/{name}/rollback", post(promotion::roll_back_model)),
        ("/models/{name}/versions/{version}", get(versions::get_version)),
        ("/models/{name}/versions/{version}/evidence", get(versions::get_evidence)),
        ("/models/{name}/versions/{version}/files", get(artifacts::list_files)),
        ("/models/{name}/versions/{version}/files/{*path}", get(artifacts::download_file)),
        ("/models/{name}/versions/{version}/promote", post(promotion::promote_version)),
        ("/compare", get(compare::compare_versions)),
        ("/lineage", get(lineage::get_lineage)),
        ("/history", get(history::list_events)),
        ("/events", get(events::follow_events)),
        ("/runs/running", get(runs::list_running)),
        ("/runs/{run_id}/metrics/{*key}", get(runs::get_curve)),
    ]
}

/// The routes below `/api/herdbook/v1`.
pub(crate) fn router<S>(native: Native) -> Router<S> {
    let router = routes().into_iter().fold(Router::new(), |router, (path, methods)| {
        router.route(&format!("{PREFIX}{path}"), methods.fallback(wrong_method))
    });
    router
        .route(PREFIX, get(no_such_path).fallback(no_such_path))
        .route(&format!("{PREFIX}/{{*path}}"), get(no_such_path).fallback(no_such_path))
        .with_state(native)
}

async fn wrong_method() -> Response<Body> {
    Failure::invalid("this path does not take the method of the request")
        .with_status(StatusCode::METHOD_NOT_ALLOWED)
        .with_hint(DOCUMENT)
        .response()
}

async fn no_such_path() -> Response<Body> {
    Failure::new(Code::NotFound, "there is no such path").with_hint(DOCUMENT).response()
}

const DOCUMENT: &str = "`GET /api/herdbook/v1/openapi.json` describes every path";
