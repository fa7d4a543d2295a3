//! The `herdbook` binary as a user meets it.

#![expect(clippy::unwrap_used, reason = "a broken test stops where it breaks")]

mod binary;
mod doctor;
mod failures;
mod interface;
mod listing;
mod running;
