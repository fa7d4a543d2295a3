//! Imports stores of other programs: a database of MLflow, its old file store, or a server.
//!
//! `source` reads a store without changing it. `import` writes its runs, artifacts and registry, and turns the stages in
//! its tags into history, as planned by `herdbook-domain`.

mod import;
mod source;

pub use import::{Count, Import, ImportObserver, ImportReport, ImportRequest, UnregisteredRecord};
pub use source::address::{Source, SourceOptions, target_location};
