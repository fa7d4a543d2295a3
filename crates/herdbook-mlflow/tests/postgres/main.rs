//! The suite over PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a broken test stops where it breaks")]

mod backend;

#[path = "../it/experiments.rs"]
mod experiments;
#[path = "../it/fixture.rs"]
mod fixture;
#[path = "../it/histories.rs"]
mod histories;
#[path = "../it/logged_models.rs"]
mod logged_models;
#[path = "../it/run_entries.rs"]
mod run_entries;
#[path = "../it/runs.rs"]
mod runs;
#[path = "../it/searches.rs"]
mod searches;
