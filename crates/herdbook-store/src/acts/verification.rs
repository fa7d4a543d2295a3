//! Verification: recomputes the chain of events and the hashes of the registered model files.

use herdbook_domain::{ChainBreak, VersionKey, verify_chain};

use crate::acts::files::FileState;
use crate::error::StoreError;
use crate::search::versions::VersionQuery;
use crate::store::Store;
use crate::tables::event::EventQuery;

/// The result of a verification of the whole store.
#[derive(Debug, Clone)]
pub struct Verification {
    /// Number of events.
    pub n_events: usize,
    /// The hash of the last event, or the first break of the chain.
    pub chain: Result<String, ChainBreak>,
    /// The state of the model file of each version that was not deleted.
    pub files: Vec<(VersionKey, FileState)>,
}

impl Store {
    /// Recomputes the chain of events and the hash of every registered model file. Reads all these files.
    ///
    /// # Errors
    /// Those of reading the records. Broken records and files are in the result.
    pub fn verify(&self) -> Result<Verification, StoreError> {
        let events = self.events(&EventQuery::default())?;
        let versions = self.versions(&VersionQuery::default())?.records;
        let keys: Vec<VersionKey> = versions.into_iter().rev().map(|version| version.key).collect();
        let states = self.file_states(&keys)?;
        let files = keys.into_iter().zip(states).collect();
        Ok(Verification { n_events: events.len(), chain: verify_chain(&events), files })
    }
}
