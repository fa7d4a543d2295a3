//! The server as its clients see it: requests over HTTP.

#![expect(clippy::unwrap_used, reason = "a broken test stops where it breaks")]

mod life_cycle;
mod registry;
mod server;
