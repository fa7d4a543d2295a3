//! The progress and the result of an import.

use std::collections::BTreeSet;

use herdbook_domain::import::Finding;

/// Receives the progress of an import.
pub trait ImportObserver {
    /// `done` of `total` runs are in the store.
    fn runs(&mut self, done: usize, total: usize);
    /// A new stage begins; `text` describes it.
    fn stage(&mut self, text: &str);
}

/// Numbers of records of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Count {
    /// In the source.
    pub found: usize,
    /// Added to the target.
    pub added: usize,
    /// In the target before.
    pub present: usize,
    /// In the target before as RUNNING, and completed because they have ended since.
    pub completed: usize,
}

impl Count {
    /// Counts what an import would add, by name.
    pub(super) fn preview<'a>(
        &mut self,
        names: impl Iterator<Item = &'a String>,
        known: &BTreeSet<String>,
    ) {
        let (present, added): (Vec<_>, Vec<_>) = names.partition(|name| known.contains(*name));
        (self.present, self.added) = (present.len(), added.len());
    }
}

/// The result of an import or of its dry run.
#[derive(Debug, Clone, Default)]
pub struct ImportReport {
    /// The source, as named in the history.
    pub source: String,
    /// Experiments.
    pub experiments: Count,
    /// Runs.
    pub runs: Count,
    /// Registered models.
    pub models: Count,
    /// Model versions.
    pub versions: Count,
    /// Number of copied artifact files.
    pub files: usize,
    /// Total length of the copied files in bytes.
    pub bytes: u64,
    /// The contradictions in the source, and how each was resolved.
    pub audit: Vec<Finding>,
}
