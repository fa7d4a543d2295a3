//! Import: the records of another store, with the tags of the system that herdbook follows, become versions, lineage
//! and history here.
//!
//! What a source tells and what the target knows go in, an [`ImportPlan`] comes out: the versions to write, the events
//! that tell of their past, and an audit that names every contradiction and what was done about it. The rules hold
//! for what is written, whatever the source says.

mod audit;
mod champion;
mod event;
mod finding;
mod limits;
mod member;
mod past;
mod plan;
mod source;
mod told;
mod zone;

pub use finding::{Finding, FindingKind};
pub use limits::{Column, fitted};
pub use plan::{ImportPlan, PlannedVersion, plan_import};
pub use source::{SourceFile, SourceRecords, SourceRun, SourceVersion, TargetFacts, TargetVersion};
pub use zone::{InvalidZone, Zone};

/// Tag of a version that had another number in its source.
pub const IMPORTED_FROM_VERSION: &str = "imported_from_version";
/// Tag of a run that had another status in its source.
pub const IMPORTED_STATUS: &str = "imported_status";

/// The key under which a tag is kept whose own key now says something else.
fn kept(key: &str) -> String {
    format!("imported_{key}")
}
