//! What this server is, and what the caller may do.

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::life_cycle::Mode;
use crate::native::call::Call;
use crate::native::failure::ErrorBody;
use crate::native::state::Native;

/// A herdbook server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Info {
    /// Always `herdbook`: this is how clients recognise the server.
    name: &'static str,
    /// The version of the program.
    version: &'static str,
    /// The version of this API.
    api: &'static str,
    store_id: Option<String>,
    /// `enforce`, `observe` or `off`.
    life_cycle: &'static str,
    caller: Caller,
}

/// Who sends the request.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Caller {
    /// The actor of the events that the caller's acts write.
    actor: String,
    may: Vec<&'static str>,
}

/// What this server is.
#[utoipa::path(get, path = "/info", tag = "info",
    responses((status = 200, body = Info), (status = "default", body = ErrorBody)))]
pub(super) async fn get_info(State(native): State<Native>, call: Call) -> Response<Body> {
    native
        .answer(call, |native, call| {
            Ok(Info {
                name: "herdbook",
                version: env!("CARGO_PKG_VERSION"),
                api: "v1",
                store_id: native.store().backend().identity().store_id,
                life_cycle: match native.life_cycle().mode {
                    Mode::Enforce => "enforce",
                    Mode::Observe => "observe",
                    Mode::Off => "off",
                },
                caller: Caller {
                    actor: native.caller(call).to_string(),
                    may: vec!["read", "promote", "rollback"],
                },
            })
        })
        .await
}
