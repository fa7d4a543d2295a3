//! Import: the records of another store become versions, lineage and history of this one.
//!
//! Input are the source's records and the facts about the target. Output is an [`ImportPlan`]: the versions to write, the
//! events that record their history, and findings that name every contradiction and its resolution. The result follows
//! the rules, whatever the source holds.

mod audit;
mod candidate;
mod candidates;
mod champion;
mod excerpt;
mod finding;
mod history_events;
mod imported_tags;
mod limits;
mod parent;
mod parsed_tags;
mod plan;
mod planning;
mod proven_tags;
mod recorded_change;
mod source;
mod source_history;
mod steps;
mod target;
mod ties;
mod told_origin;
mod zone;

pub use finding::{Finding, FindingKind};
pub use imported_tags::{IMPORTED_FROM_VERSION, IMPORTED_STATUS, kept_key};
pub use limits::{TextColumn, fitted};
pub use parent::parent_of;
pub use parsed_tags::names_no_origin;
pub use plan::{ImportPlan, PlannedVersion};
pub use planning::plan_import;
pub use source::{SourceFile, SourceRecords, SourceRun, SourceVersion};
pub use source_history::SourceHistory;
pub use target::{TargetFacts, TargetVersion};
pub use told_origin::{ToldOrigin, told_origin};
pub use zone::{InvalidZone, Zone};
