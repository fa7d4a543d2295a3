//! The history: pages of events.

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use herdbook_domain::{EventKind, ModelName, RunId, Timestamp, VersionNumber};
use herdbook_store::{EventQuery, HistoryQuery, Order};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::native::call::Call;
use crate::native::failure::{ErrorBody, Failure};
use crate::native::models::at_most;
use crate::native::shape::event::HistoryEvent;
use crate::native::state::Native;

/// The order of events by number.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EventOrder {
    /// Newest first.
    #[default]
    Newest,
    /// Oldest first.
    Oldest,
}

/// Which events to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// Only events of this model, also under its former names.
    #[param(value_type = Option<String>)]
    name: Option<ModelName>,
    /// Only events of versions with this number.
    #[param(value_type = Option<u32>)]
    version: Option<VersionNumber>,
    /// Only events of this run.
    #[param(value_type = Option<String>)]
    run_id: Option<RunId>,
    /// Only events of this kind.
    #[param(value_type = Option<String>)]
    kind: Option<EventKind>,
    /// Only events of this actor.
    actor: Option<String>,
    /// Only events at this time or later.
    #[param(value_type = Option<String>)]
    from: Option<Timestamp>,
    /// Only events before this time.
    #[param(value_type = Option<String>)]
    until: Option<Timestamp>,
    /// Only events with a higher number.
    after: Option<i64>,
    /// Only events with a lower number.
    before: Option<i64>,
    /// `newest` first (unless given) or `oldest` first.
    #[param(inline)]
    order: EventOrder,
    /// At most so many; 100 unless given, and at most 500.
    limit: Option<usize>,
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct History {
    events: Vec<HistoryEvent>,
    /// What is wrong with rows that cannot be read as an event.
    unreadable: Vec<String>,
    /// The value of `before` (`after` with `order=oldest`) for the next page; null on the last one.
    next: Option<i64>,
}

/// Events by model, version, run, kind, actor and time.
#[utoipa::path(get, path = "/history", tag = "history", params(Asked),
    responses((status = 200, body = History), (status = "default", body = ErrorBody)))]
pub(super) async fn list_events(State(native): State<Native>, call: Call) -> Response<Body> {
    native
        .answer(call, |native, call| {
            let asked: Asked = call.query()?;
            let page = native.store().history(&query(asked)?)?;
            Ok(History {
                events: page.events.iter().map(HistoryEvent::from).collect(),
                unreadable: page.unreadable,
                next: page.last.filter(|_| page.has_more),
            })
        })
        .await
}

fn query(asked: Asked) -> Result<HistoryQuery, Failure> {
    let Asked { name, version, run_id, kind, actor, from, until, after, before, .. } = asked;
    Ok(HistoryQuery {
        events: EventQuery { name, version, run_id, kind },
        actor,
        from,
        until,
        after,
        before,
        order: match asked.order {
            EventOrder::Newest => Order::NewestFirst,
            EventOrder::Oldest => Order::OldestFirst,
        },
        limit: at_most(asked.limit, 100)?,
    })
}
