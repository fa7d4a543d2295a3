//! Stores to import from: a database of MLflow (SQLite or PostgreSQL), its old file store, or a server, all read as the same
//! records.
//!
//! Nothing here writes: a source is left unchanged, byte for byte.

pub(crate) mod address;
mod cells;
mod database;
mod files;
mod http;
pub(crate) mod local;
mod records;
mod server;
mod sqlite;
mod yaml;

pub(crate) use self::records::{
    ArtifactsUnreadable, ExperimentRecord, ModelRecord, ModelVersionRecord, Reader, RunData,
    RunInfo,
};
