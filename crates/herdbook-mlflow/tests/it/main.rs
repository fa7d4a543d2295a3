//! MLflow's tracking service on an SQLite store.

#![expect(clippy::unwrap_used, reason = "a broken test stops where it breaks")]

mod backend;
mod experiments;
mod fixture;
mod histories;
mod logged_models;
mod run_entries;
mod runs;
mod searches;
