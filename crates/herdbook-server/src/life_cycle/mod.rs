//! The rulebook on the wire: what clients of MLflow may do with models under the life cycle.
//!
//! A model is under the life cycle if one of its versions has a stage, or its name fits a pattern. Requests that touch its
//! stages, its alias `champion`, or the tags of lineage and history go to the rulebook. All others are MLflow's alone.

pub(crate) mod aliases;
pub(crate) mod creation;
pub(crate) mod deletion;
pub(crate) mod pattern;
mod rules;
mod stages;
pub(crate) mod tags;
pub(crate) mod transitions;

pub use pattern::NamePattern;
pub(crate) use rules::Records;
pub use rules::{LifeCycle, Mode};
