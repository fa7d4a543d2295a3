//! Tests of the `herdbook` binary as users run it.

#![expect(clippy::unwrap_used, reason = "a test fails where it panics")]

mod binary;
mod doctor;
mod edges;
mod failures;
mod interface;
mod listing;
mod moving;
mod names;
mod running;
mod screen;
mod settings;
mod usable;
