//! Rows: one module per table, with plain functions on an open transaction.
//!
//! Public for crates that write whole records, such as an import. Nothing here checks a rule of the life cycle: a caller that
//! writes rows without an act must keep the invariants itself.

pub mod alias;
pub mod batch;
pub(crate) mod dataset_input;
pub mod evaluation;
pub mod event;
pub mod experiment;
pub(crate) mod identity;
pub mod lease;
pub mod metric;
pub(crate) mod restoring;
mod row;
pub mod run;
pub mod seal;
pub(crate) mod soundness;
pub mod tag;
pub mod trial;
pub mod unsealed;
pub mod version;
