//! Pages: what MLflow's server answers where there is no call.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};

/// A page for a path or method that does not exist. MLflow's clients expect no JSON here.
pub(crate) fn page(status: StatusCode, title: &str) -> Response<Body> {
    let body = format!(
        "<!doctype html>\n<html lang=en>\n<title>{} {title}</title>\n<h1>{title}</h1>\n",
        status.as_u16()
    );
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    response
}
