//! The routes of the server, and what all of them have in common.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use crate::app::App;
use crate::mlflow;
use crate::native;
use crate::native::state::Native;
use crate::telemetry::{probes, requests};

/// The routes, with the state that they share.
pub(crate) fn router(app: App, native: Native) -> Router {
    mlflow::router::router()
        .route("/ready", get(probes::ready))
        .route("/metrics", get(probes::metrics))
        .with_state(app.clone())
        .merge(native::router::router(native))
        .layer(from_fn_with_state(app, requests::observe))
}
