//! The doctor: finds records that break the rules, and plans their repair.
//!
//! Records break when other programs write to the database or migrate it, when a backup is restored in part, or when a
//! process dies. [`examine`] takes the records and returns breaches, each with the exact repair if a safe one exists.
//! Repairs take their values from the event log. If the log itself is broken, nothing that depends on it is repaired.

mod bad_row;
mod breach;
mod champion;
mod difference;
mod examine;
mod location;
mod log_index;
mod lost;
mod records;
mod renames;
mod replay;
mod rows;
mod run;
mod run_replay;
mod sealed;
mod usability;
mod version;

pub use bad_row::BadRow;
pub use breach::{Breach, BreachKind, Fix, Remedy, Repair, RunColumn, Subject, VersionColumn};
pub use examine::examine;
pub use records::{
    LoggedMetric, Orphan, Process, Records, RunOnRecord, RunRow, SchemaState, Storage,
    VersionOnRecord, VersionRow,
};
pub use renames::events_under_present_names;
pub use usability::is_managed;
