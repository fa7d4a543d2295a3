//! The rulebook: names, stages, transitions, lineage, tags, events and honesty as types and pure decisions.
//!
//! A request and the facts go in, a plan (the exact changes) or a refusal comes out. This crate does no IO and
//! knows nothing of databases, HTTP or the command line.

mod timeframe;

pub use timeframe::{Timeframe, UnknownTimeframe};
