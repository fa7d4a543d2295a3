//! Stores to import from: a database of MLflow, its old file store, or a server, each as one stream of neutral records.
//!
//! Nothing here writes: what is read stays as it is, byte for byte.

mod files;
mod http;
pub(crate) mod local;
pub(crate) mod place;
mod records;
mod server;
mod sqlite;
mod yaml;

pub(crate) use self::records::{
    ExperimentRecord, ModelRecord, ModelVersionRecord, Reader, RunBody, RunHead, Unreadable,
};
