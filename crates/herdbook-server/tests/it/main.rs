//! The real server, asked over HTTP.

#![expect(clippy::unwrap_used, reason = "a broken test stops where it breaks")]

mod native;
