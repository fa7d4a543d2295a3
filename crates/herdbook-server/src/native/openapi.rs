//! The `OpenAPI` document of the native API.
//!
//! `docs/openapi.json` is the same document; a test fails if it is not. `HERDBOOK_WRITE=1 cargo nextest run -p herdbook-server
//! openapi` writes it again.

use axum::body::Body;
use axum::http::Response;
use utoipa::OpenApi;

use crate::native::shape::event::HistoryEvent;
use crate::native::state::json;
use crate::native::{
    artifacts, board, champion, compare, events, history, info, lineage, models, promotion, runs,
    versions,
};

/// The document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "herdbook",
        version = "1",
        description = "The native API of `herdbook serve`: the acts and look-ups of the rulebook. Times are UTC, as in RFC 3339.",
        license(name = "Apache-2.0"),
    ),
    servers((url = "/api/herdbook/v1")),
    paths(
        info::get_info,
        board::get_board,
        models::list_models,
        models::get_model,
        champion::get_champion,
        versions::get_version,
        versions::get_evidence,
        artifacts::list_files,
        artifacts::download_file,
        compare::compare_versions,
        lineage::get_lineage,
        history::list_events,
        events::follow_events,
        runs::list_running,
        runs::get_curve,
        promotion::promote_version,
        promotion::roll_back_model,
    ),
    components(schemas(HistoryEvent)),
)]
struct Document;

/// The `OpenAPI` document as JSON, with a line break at the end.
///
/// # Errors
/// None in practice: the document is plain data.
pub fn openapi_json() -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(&Document::openapi())? + "\n")
}

/// The document, for the makers of clients.
pub(super) async fn get_document() -> Response<Body> {
    json(openapi_json().unwrap_or_default().into_bytes())
}
