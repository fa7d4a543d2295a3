//! Imports into real databases: from stores that real MLflow packages made, from sources with faults, and from servers.

#![expect(clippy::unwrap_used, reason = "a broken test stops where it breaks")]

mod fake_server;
mod importing;
mod laundered;
mod odd_sources;
mod old_stores;
mod server_source;

#[expect(dead_code, reason = "the store's tests use all of it")]
#[path = "../../../herdbook-store/tests/it/backend.rs"]
mod backend;
#[expect(dead_code, reason = "the store's tests use all of it")]
#[path = "../../../herdbook-store/tests/it/herd.rs"]
mod herd;
