//! The records: runs, metrics, models and events in the database schema of MLflow 3.17.2, artifacts as files.
//!
//! What the rest of the system asks of the records are whole acts (`start_run`, `finish_and_register`,
//! `promote` …); each is one transaction. Decisions are the rulebook's: an act collects the facts, asks
//! `herdbook-domain` for a plan, and carries it out.

mod artifact;
mod board;
mod comparable;
mod condition;
mod db;
mod disk;
mod doctor;
mod engine;
mod error;
mod event;
mod evidence;
mod experiment;
mod foreign_run;
mod import;
mod integrity;
mod lease;
mod location;
mod metric;
mod pedigree;
mod promotion;
mod registration;
mod remote;
mod row;
mod run;
mod schema;
mod search;
mod source;
mod store;
mod tag;
mod version;

pub use board::ModelSummary;
pub use disk::Disk;
pub use error::StoreError;
pub use event::EventQuery;
pub use evidence::Trial;
pub use foreign_run::{ForeignFinish, RunEntries};
pub use import::{Count, Import, ImportObserver, ImportReport, ImportRequest};
pub use integrity::{FileState, RegisteredFile, Verification};
pub use lease::{LEASE_EXPIRY_MS, LEASE_REFRESH_MS, Lease, Liveness};
pub use location::Location;
pub use metric::{Metric, MetricSelection};
pub use promotion::Promotion;
pub use registration::{Finish, Registered};
pub use run::{RunRecord, RunStart, UnfinishedEnd};
pub use search::{Best, Candidates, Contaminated};
pub use source::{Source, SourceOptions};
pub use store::{Effect, Missing, OpenOptions, Opened, Store, new_id, now};
pub use version::{VersionQuery, VersionRecord};
