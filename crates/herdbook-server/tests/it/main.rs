//! The server, started on a free port and asked over HTTP.

#![expect(clippy::unwrap_used, reason = "a broken test stops where it breaks")]

mod answers;
mod artifacts;
mod connections;
mod life_cycle;
mod native;
mod registry;
mod served;
mod server;
mod telemetry;
