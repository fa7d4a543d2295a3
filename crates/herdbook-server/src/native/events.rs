//! The events of the history as they are appended, as server-sent events
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

use std::pin::pin;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, Response, header};
use futures_util::future::{Either, select};
use herdbook_domain::{EventKind, ModelName};
use herdbook_store::{EventQuery, HistoryPage, HistoryQuery, Order, Store, StoreError};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};
use utoipa::IntoParams;

use crate::app::blocking;
use crate::native::call::Call;
use crate::native::failure::{Code, ErrorBody, Failure};
use crate::native::shape::event::HistoryEvent;
use crate::native::state::{Native, finished, refused};
use crate::native::stream::{self, Sender};

/// How often the history is asked for new events.
const POLL: Duration = Duration::from_millis(250);
/// How long nothing is sent before a comment shows that the connection is alive.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Events that are read at a time, and how many such pages wait for the client.
const PAGE: usize = 200;
const N_WAITING: usize = 2;

/// Which events to follow.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Begin after the event with this number; unless given, with the next event. The header `Last-Event-ID`, which
    /// browsers send when they connect again, takes precedence.
    since: Option<i64>,
    /// Only events of this model.
    #[param(value_type = Option<String>)]
    name: Option<ModelName>,
    /// Only events of this kind.
    #[param(value_type = Option<String>)]
    kind: Option<EventKind>,
}

/// The events as they are appended: `id` is the number, `event` the kind, `data` the event as JSON.
#[utoipa::path(get, path = "/events", tag = "history", params(Asked,
        ("Last-Event-ID" = Option<i64>, Header, description = "The number of the last event that the client has seen")),
    responses((status = 200, description = "A stream of `HistoryEvent`", content_type = "text/event-stream", body = HistoryEvent),
        (status = "default", body = ErrorBody)))]
pub(super) async fn follow_events(State(native): State<Native>, call: Call) -> Response<Body> {
    let Ok(permit) = native.followers().clone().try_acquire_owned() else {
        let failure = Failure::new(Code::StoreBusy, "too many clients follow the events");
        return failure.with_hint("try again later, or read `/history`").response();
    };
    let begun = {
        let native = native.clone();
        blocking(move || begin(&native, &call)).await
    };
    let (events, last) = match finished(begun) {
        Ok(begun) => begun,
        Err(failure) => return refused(&failure),
    };
    let (sender, body) = stream::body(N_WAITING);
    tokio::spawn(follow(native, events, last, (sender, permit)));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Which events to follow, and the number of the event after which to begin.
fn begin(native: &Native, call: &Call) -> Result<(EventQuery, i64), Failure> {
    let asked: Asked = call.query()?;
    let seen = match call.header("last-event-id") {
        None | Some("") => asked.since,
        Some(text) => Some(text.trim().parse().map_err(|_| {
            Failure::invalid("the header `Last-Event-ID` is not the number of an event")
        })?),
    };
    let newest = native.store().last_event_id()?;
    let last = seen.unwrap_or(newest);
    if last < 0 {
        return Err(Failure::invalid(format!("`since`: {last} is not the number of an event")));
    }
    if last > newest {
        let message = format!("the history ends with event {newest}, before event {last}");
        return Err(Failure::new(Code::Conflict, message).with_hint(
            "the store was restored from a backup, or is another one: read everything again",
        ));
    }
    let events = EventQuery { name: asked.name, kind: asked.kind, ..EventQuery::default() };
    Ok((events, last))
}

/// Sends events until the client is gone, the server stops or the store fails. The client then connects again.
async fn follow(
    native: Native,
    events: EventQuery,
    mut last: i64,
    (sender, _permit): (Sender, OwnedSemaphorePermit),
) {
    let mut stopping = native.stopping();
    let mut heartbeat_at = Instant::now();
    loop {
        let (store, events, after) = (native.store().clone(), events.clone(), last);
        let read = blocking(move || next_page(&store, events, after));
        let Some(Ok((page, end))) = read.await else { return };
        last = end;
        let text = text_of(&page);
        let part = if !text.is_empty() {
            text
        } else if Instant::now() >= heartbeat_at {
            ": the connection is alive\n\n".to_owned()
        } else {
            String::new()
        };
        if !part.is_empty() {
            heartbeat_at = Instant::now() + HEARTBEAT;
            if sender.send(Ok(Bytes::from(part))).await.is_err() {
                return;
            }
        }
        if page.has_more {
            continue;
        }
        let stopped = timeout(POLL, stopping.wait_for(|is_stopping| *is_stopping));
        match select(pin!(sender.closed()), pin!(stopped)).await {
            Either::Right((Err(_), _)) => {}
            _ => return,
        }
    }
}

/// The events after one, and the number up to which the history was searched.
fn next_page(
    store: &Store,
    events: EventQuery,
    after: i64,
) -> Result<(HistoryPage, i64), StoreError> {
    let newest = store.last_event_id()?;
    let page = store.history(&HistoryQuery {
        events,
        after: Some(after),
        before: Some(newest + 1),
        order: Order::OldestFirst,
        limit: PAGE,
        ..HistoryQuery::default()
    })?;
    let end = if page.has_more { page.last.unwrap_or(after) } else { newest.max(after) };
    Ok((page, end))
}

/// A row that cannot be read as an event.
#[derive(Serialize)]
struct Unreadable<'a> {
    problem: &'a str,
}

fn text_of(page: &HistoryPage) -> String {
    let mut text = String::new();
    for event in &page.events {
        let data =
            serde_json::to_string(&HistoryEvent::from(event)).expect("an event is plain data");
        text += &format!("id: {}\nevent: {}\ndata: {data}\n\n", event.id, event.what.kind);
    }
    for problem in &page.unreadable {
        let data = serde_json::to_string(&Unreadable { problem }).expect("a text is plain data");
        text += &format!("event: unreadable\ndata: {data}\n\n");
    }
    text
}
