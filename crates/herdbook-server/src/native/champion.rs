//! The champion now or at an earlier time.

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use herdbook_domain::tags::key;
use herdbook_domain::{ModelName, Timeframe, Timestamp, champion_at};
use herdbook_store::{EventQuery, Store};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::native::call::Call;
use crate::native::failure::{ErrorBody, Failure};
use crate::native::state::Native;

/// At which time.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The time, as in RFC 3339; now unless given.
    #[param(value_type = Option<String>)]
    at: Option<Timestamp>,
}

/// The champion of a model, as the history records it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Champion {
    name: String,
    version: u32,
    run_id: Option<String>,
    /// The URI of the model file.
    model_path: Option<String>,
    /// When it became champion.
    since: String,
    actor: String,
    reason: Option<String>,
    event_id: i64,
}

/// The champion now or at an earlier time.
#[utoipa::path(get, path = "/models/{name}/champion", tag = "models",
    params(("name" = String, Path, description = "The registered model"), Asked),
    responses((status = 200, body = Champion), (status = "default", body = ErrorBody)))]
pub(super) async fn get_champion(State(native): State<Native>, call: Call) -> Response<Body> {
    native
        .answer(call, |native, call| {
            let asked: Asked = call.query()?;
            champion(native.store(), &call.model()?, asked.at)
        })
        .await
}

fn champion(store: &Store, name: &ModelName, at: Option<Timestamp>) -> Result<Champion, Failure> {
    let events = store.events(&EventQuery { name: Some(name.clone()), ..EventQuery::default() })?;
    let last = events.last().map(|event| event.at);
    // Without a time, look at the end of the history.
    let found = at.or(last).and_then(|at| champion_at(&events, at));
    let Some((event, version)) = found.and_then(|event| Some((event, event.what.version?))) else {
        let message = match at {
            Some(at) => format!("`{name}` had no champion at {at}"),
            None => format!("`{name}` has no champion"),
        };
        return Err(Failure::not_found(message)
            .with_hint(format!("`GET /api/herdbook/v1/history?name={name}` shows its history")));
    };
    let timeframe = timeframe_of(store, name);
    let run_id = event.what.run_id.as_ref();
    Ok(Champion {
        name: name.to_string(),
        version: version.get(),
        run_id: run_id.map(ToString::to_string),
        model_path: run_id.zip(timeframe).map(|(run, timeframe)| run.model_path(timeframe)),
        since: event.at.to_string(),
        actor: event.actor.clone(),
        reason: event.what.reason.clone(),
        event_id: event.id,
    })
}

/// The timeframe by the name of a model, or by the tag of its champion.
fn timeframe_of(store: &Store, name: &ModelName) -> Option<Timeframe> {
    let by_name = name.as_str().split('_').next().and_then(|text| text.parse().ok());
    by_name.or_else(|| store.champion(name).ok()??.tag(key::TIMEFRAME))
}
