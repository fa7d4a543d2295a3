//! Rows: one module per table, plain functions on an open transaction.
//!
//! For crates that write whole records, such as an import. Nothing here knows a rule: whoever changes rows past the acts
//! answers for the invariants.

pub mod alias;
pub mod event;
pub mod experiment;
pub mod lease;
pub mod metric;
mod row;
pub mod run;
pub mod tag;
pub mod version;
