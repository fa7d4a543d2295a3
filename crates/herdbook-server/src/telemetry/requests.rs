//! Every request gets an id, a line in the log, and a place in the counters.

use std::net::SocketAddr;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Response};
use axum::middleware::Next;
use herdbook_store::new_id;

use crate::app::App;

/// The header with the id of a request, which comes back with its answer.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Most characters of an id that a client chooses.
const MAX_ID: usize = 64;
/// The route of a path that does not exist.
const NO_ROUTE: &str = "none";

/// The address of a client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The reason of a failure, which the log has and the client has not.
#[derive(Debug, Clone)]
pub(crate) struct Detail(pub(crate) String);

/// Answers a request, logs and counts it.
pub(crate) async fn observe(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Response<Body> {
    let begun = Instant::now();
    let id = id_of(&request);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let peer = request.extensions_mut().remove::<Peer>();
    let path = request.uri().path().to_owned();
    app.counters().began();
    let mut counted =
        Counted { app: &app, method: method.as_str(), route: &route, begun, status: 499 };
    let mut response = next.run(request).await;
    let status = response.status().as_u16();
    counted.status = status;
    drop(counted);
    let ms = begun.elapsed().as_secs_f64() * 1000.0;
    let peer = peer.map(|Peer(peer)| peer.ip().to_string()).unwrap_or_default();
    let detail = response.extensions_mut().remove::<Detail>().map(|Detail(text)| text);
    match detail {
        Some(detail) if status >= 500 => {
            tracing::error!(id, %method, path, status, ms, peer, detail, "request");
        }
        Some(detail) => tracing::info!(id, %method, path, status, ms, peer, detail, "request"),
        None => tracing::info!(id, %method, path, status, ms, peer, "request"),
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// A request in progress. It is counted when it is dropped, also if the client leaves before the answer.
struct Counted<'a> {
    app: &'a App,
    method: &'a str,
    route: &'a Option<MatchedPath>,
    begun: Instant,
    status: u16,
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let route = self.route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
        // Methods that HTTP does not define would be labels without end.
        let method = match self.method {
            known @ ("GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS") => known,
            _ => "other",
        };
        self.app.counters().ended(method, route, self.status, self.begun.elapsed());
    }
}

/// The id that the client gave, if it is a short word; else a new one.
fn id_of(request: &Request) -> String {
    let is_word = |text: &&str| {
        (1..=MAX_ID).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    let given = request.headers().get(&REQUEST_ID).and_then(|id| id.to_str().ok());
    given.filter(is_word).map_or_else(new_id, str::to_owned)
}
