//! What the handlers share: the store, who acts on it, and the end of the server.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use herdbook_domain::{Actor, Channel};
use herdbook_store::{Session, Store};
use serde::Serialize;
use tokio::sync::{Semaphore, watch};

use crate::app::{App, blocking};
use crate::life_cycle::LifeCycle;
use crate::native::call::Call;
use crate::native::failure::{Code, Failure};
use crate::telemetry::requests::Detail;

/// Most clients that follow the events at the same time.
const MAX_FOLLOWERS: usize = 256;

/// What the handlers share. Cloning it is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Native {
    app: App,
    stopping: watch::Receiver<bool>,
    followers: Arc<Semaphore>,
}

impl Native {
    /// `stopping` becomes true when the server ends: streams that never end by themselves end then.
    pub(crate) fn new(app: App, stopping: watch::Receiver<bool>) -> Self {
        Self { app, stopping, followers: Arc::new(Semaphore::new(MAX_FOLLOWERS)) }
    }

    pub(super) fn store(&self) -> &Store {
        self.app.session().store()
    }

    /// Whether models are under the life cycle, and the conditions on promotion.
    pub(super) fn life_cycle(&self) -> &LifeCycle {
        self.app.life_cycle()
    }

    pub(super) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.clone()
    }

    pub(super) fn followers(&self) -> &Arc<Semaphore> {
        &self.followers
    }

    /// The user who sends a request. Without users it is the one who started the server.
    pub(super) fn caller(&self, _call: &Call) -> Actor {
        self.app.session().actor().clone()
    }

    /// The store, with the caller as the actor.
    pub(super) fn session(&self, call: &Call) -> Session {
        self.store().session(self.caller(call), Channel::Http)
    }

    /// Answers a call on a thread that may wait.
    pub(super) async fn answer<T: Serialize>(
        self,
        call: Call,
        act: impl FnOnce(&Self, &Call) -> Result<T, Failure> + Send + 'static,
    ) -> Response<Body> {
        let outcome = blocking(move || {
            let answer = act(&self, &call)?;
            serde_json::to_vec(&answer).map_err(|_| {
                Failure::new(Code::StoreFailed, "the answer cannot be written as JSON")
            })
        });
        match finished(outcome.await) {
            Ok(body) => json(body),
            Err(failure) => refused(&failure),
        }
    }
}

/// The answer to a request that failed. The server's log gets the reason that the client is not told.
pub(super) fn refused(failure: &Failure) -> Response<Body> {
    let mut response = failure.response();
    if let Some(detail) = failure.detail() {
        response.extensions_mut().insert(Detail(detail.to_owned()));
    }
    response
}

/// The outcome of an act; a failure if it panicked.
pub(super) fn finished<T>(outcome: Option<Result<T, Failure>>) -> Result<T, Failure> {
    outcome.unwrap_or_else(|| {
        Err(Failure::new(Code::StoreFailed, "the request failed inside the server"))
    })
}

pub(super) fn json(body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
