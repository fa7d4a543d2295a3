//! How a store is opened, and what opening did to its database.

use std::time::Duration;

use herdbook_domain::SchemaState;

use crate::engine::backend::Backend;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// What to do where there is no store.
    pub missing: Missing,
    /// How long to wait for another process's write lock, or for a free connection.
    pub busy_timeout: Duration,
}

/// What to do where there is no store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Create one.
    Create,
    /// Fail with [`StoreError::NoStore`](crate::StoreError::NoStore).
    Refuse,
}

/// What opening a store did to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// Nothing: it was there and complete.
    AsItWas,
    /// It was created.
    Created,
    /// MLflow's tables were there; tables or indexes of ours were added or restored.
    Completed,
    /// Nothing: it may only be read.
    ReadOnly,
}

/// What to do where two versions of one model are tagged champion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecondChampion {
    /// Refuse to open the store.
    Refuse,
    /// Open it without the index that forbids a second champion.
    Tolerate,
}

/// Tables and indexes of ours that were missing or altered, and what became of each.
pub type PutBack = Vec<(&'static str, SchemaState)>;

/// A backend that is ready, and what opening did to its database.
#[derive(Debug)]
pub struct Connected {
    /// Runs acts and look-ups.
    pub backend: Box<dyn Backend>,
    /// What opening did.
    pub opened: Opened,
    /// Tables and indexes of ours that were missing or altered, and what became of them.
    pub put_back: PutBack,
}
