//! What an import tells while it runs, and in the end.

use herdbook_domain::import::Finding;

/// Watches an import.
pub trait ImportObserver {
    /// So many of so many runs are in.
    fn runs(&mut self, done: usize, total: usize);
    /// What comes next.
    fn stage(&mut self, text: &str);
}

/// How many records of a kind the source has, and what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Count {
    /// In the source.
    pub found: usize,
    /// New in the target.
    pub added: usize,
    /// There already.
    pub present: usize,
    /// There already, and completed: the source had ended them since.
    pub completed: usize,
}

/// What an import did, or would do.
#[derive(Debug, Clone, Default)]
pub struct ImportReport {
    /// What was imported from.
    pub source: String,
    /// Experiments.
    pub experiments: Count,
    /// Runs.
    pub runs: Count,
    /// Registered models.
    pub models: Count,
    /// Their versions.
    pub versions: Count,
    /// Artifact files that were copied.
    pub files: usize,
    /// Their length together.
    pub bytes: u64,
    /// The contradictions that were found, each with what was done about it.
    pub audit: Vec<Finding>,
}
