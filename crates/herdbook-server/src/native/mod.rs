//! The native API below `/api/herdbook/v1`: the acts and look-ups of the rulebook as JSON.
//!
//! Field names and shapes are those of the command line's `--json`. To add an endpoint, write a handler with
//! `#[utoipa::path]` in the file of its group, add it to the table in `router` and to the list in `openapi`, and write the
//! document again (see `openapi`). A handler parses the [`call`], makes one call to the store on a thread that may wait, and
//! renders a structure of [`shape`].

mod artifacts;
mod board;
mod call;
mod champion;
mod commands;
mod compare;
mod events;
mod failure;
mod history;
mod info;
mod lineage;
mod models;
mod openapi;
mod outcome;
mod promotion;
mod query;
pub(crate) mod router;
mod runs;
mod shape;
pub(crate) mod state;
mod stream;
mod versions;

pub use openapi::openapi_json;
