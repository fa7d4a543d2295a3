//! The routes of the server, and what all of them have in common.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use crate::app::App;
use crate::mlflow;
use crate::telemetry::{probes, requests};

/// The routes, with the state that they share.
pub(crate) fn router(app: App) -> Router {
    mlflow::router::router()
        .route("/ready", get(probes::ready))
        .route("/metrics", get(probes::metrics))
        .layer(from_fn_with_state(app.clone(), requests::observe))
        .with_state(app)
}
