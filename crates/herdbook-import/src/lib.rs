//! Stores of other programs, taken into the records: a database of MLflow, its old file store, or a server.
//!
//! `source` reads, and changes nothing of what it reads. `import` writes runs, artifacts and registry, and turns the tags
//! of the source into history by the plan of `herdbook-domain`.

mod import;
mod source;

pub use import::{Count, Import, ImportObserver, ImportReport, ImportRequest};
pub use source::place::{Source, SourceOptions, target_location};
