//! Whether the records are what was written: the chain of events, and the registered model files.

use herdbook_domain::{ChainBreak, VersionKey, verify_chain};

use crate::acts::files::FileState;
use crate::error::StoreError;
use crate::search::versions::VersionQuery;
use crate::store::Store;
use crate::tables::event::EventQuery;

/// What a check of the whole store found.
#[derive(Debug, Clone)]
pub struct Verification {
    /// Number of events.
    pub n_events: usize,
    /// The hash of the last event, or the first break.
    pub chain: Result<String, ChainBreak>,
    /// Each registered version that was not deleted, with the state of its model file.
    pub files: Vec<(VersionKey, FileState)>,
}

impl Store {
    /// Recomputes the chain of events and the hash of every registered model file.
    pub fn verify(&self) -> Result<Verification, StoreError> {
        let events = self.events(&EventQuery::default())?;
        let versions = self.versions(&VersionQuery::default())?.records;
        let keys: Vec<VersionKey> = versions.into_iter().rev().map(|version| version.key).collect();
        let states = self.file_states(&keys)?;
        let files = keys.into_iter().zip(states).collect();
        Ok(Verification { n_events: events.len(), chain: verify_chain(&events), files })
    }
}
