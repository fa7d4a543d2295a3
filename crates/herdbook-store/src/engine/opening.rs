//! Options for opening a store, and what opening changed in its database.

use std::path::PathBuf;
use std::time::Duration;

use herdbook_domain::SchemaState;

use crate::engine::backend::Backend;
use crate::notices::Notices;

/// Options for opening a store.
///
/// The defaults: the store must exist, 10 seconds to wait, 16 connections, nothing is remembered, nobody is told.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// What to do if the store does not exist.
    pub missing: Missing,
    /// How long to wait for another process's write lock, or for a free connection.
    pub busy_timeout: Duration,
    /// The most connections to the database, at least 1. More callers than this wait for each other. The connection that
    /// writes to SQLite is not counted; on PostgreSQL look-ups and acts share the connections.
    pub max_connections: usize,
    /// The folder in which the end of the history is remembered, so that a changed history is noticed; see
    /// [`standard_state_folder`](crate::standard_state_folder). `None`: nothing is remembered.
    pub state_folder: Option<PathBuf>,
    /// Receives messages for people from inside operations.
    pub notices: Notices,
    /// The folder of the artifacts that pass through a server, whose recorded locations begin with `mlflow-artifacts:`.
    /// `None`: those locations cannot be reached.
    pub artifacts_destination: Option<PathBuf>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            missing: Missing::Refuse,
            busy_timeout: Duration::from_secs(10),
            max_connections: 16,
            state_folder: None,
            notices: Notices::default(),
            artifacts_destination: None,
        }
    }
}

/// What to do if the store does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Create it.
    Create,
    /// Fail with [`StoreError::NoStore`](crate::StoreError::NoStore).
    Refuse,
}

/// What opening a store changed in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// Nothing: the store existed and was complete.
    AsItWas,
    /// The store was created.
    Created,
    /// MLflow's tables existed; missing tables or indexes of herdbook were added.
    Completed,
    /// Nothing: the store can only be read.
    ReadOnly,
}

/// What to do if two versions of one model are tagged champion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondChampion {
    /// Refuse to open the store.
    Refuse,
    /// Open it without the index that forbids a second champion.
    Tolerate,
}

/// Tables and indexes of herdbook that were missing or altered, and whether each was restored.
pub type PutBack = Vec<(&'static str, SchemaState)>;

/// A connected backend, and what opening changed in its database.
#[derive(Debug)]
pub struct Connected {
    /// Runs acts and look-ups.
    pub backend: Box<dyn Backend>,
    /// What opening changed.
    pub opened: Opened,
    /// Tables and indexes of herdbook that were missing or altered, and whether each was restored.
    pub put_back: PutBack,
}
