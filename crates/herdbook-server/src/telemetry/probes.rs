//! Whether the server can work, and its counters.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Response, StatusCode, header};
use herdbook_store::params;

use crate::app::{App, blocking};

/// 200 if the store answers, else 503.
pub(crate) async fn ready(State(app): State<App>) -> Response<Body> {
    let answers = blocking(move || {
        app.session().read(|conn| conn.query_row("SELECT 1", params![], |row| row.get::<i64>(0)))
    });
    match answers.await {
        Some(Ok(_)) => plain(StatusCode::OK, "OK".to_owned()),
        Some(Err(_)) | None => {
            plain(StatusCode::SERVICE_UNAVAILABLE, "the store does not answer".to_owned())
        }
    }
}

/// All counters.
pub(crate) async fn metrics(State(app): State<App>) -> Response<Body> {
    let commits = app.session().backend().commit_counts();
    let mut response = plain(StatusCode::OK, app.counters().text(commits));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn plain(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
