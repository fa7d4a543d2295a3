//! Imports of stores that real MLflow packages made, into real databases.

#![expect(clippy::unwrap_used, reason = "a broken test stops where it breaks")]

mod fake_server;
mod importing;
mod odd_sources;
mod old_stores;
mod server_source;

#[path = "../../../herdbook-store/tests/it/backend.rs"]
mod backend;
#[path = "../../../herdbook-store/tests/it/herd.rs"]
mod herd;
