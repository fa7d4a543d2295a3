//! The doctor: finds where the records break the rules (spec §4), and says how to repair them.
//!
//! Other programs write to the same database, migrate it, restore half a backup, or lose a process. [`examine`] takes
//! the records and returns breaches, each with the exact repair where one is safe. Repairs follow the event log; where
//! the log itself is broken, nothing that depends on it is repaired.

mod breach;
mod champion;
mod examine;
mod log_index;
mod records;
mod run;
mod version;

pub use breach::{Breach, BreachKind, Fix, Remedy, Repair, Subject};
pub use examine::examine;
pub use records::{Orphan, Process, Records, RunOnRecord, SchemaState, VersionOnRecord};
