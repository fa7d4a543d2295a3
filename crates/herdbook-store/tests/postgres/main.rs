//! The suite of the store over PostgreSQL, and tests of what only a database server has: connections that break, and
//! conflicting acts.

#![expect(clippy::unwrap_used, reason = "a broken test stops where it breaks")]

mod backend;
mod server;

#[path = "../it/doctor.rs"]
mod doctor;
#[path = "../it/doctor_facts.rs"]
mod doctor_facts;
#[path = "../it/doctor_tables.rs"]
mod doctor_tables;
#[path = "../it/entering.rs"]
mod entering;
#[path = "../it/finding.rs"]
mod finding;
#[path = "../it/foreign.rs"]
mod foreign;
#[path = "../it/foreign_runs.rs"]
mod foreign_runs;
#[path = "../it/herd.rs"]
mod herd;
#[path = "../it/life.rs"]
mod life;
#[path = "../it/model_files.rs"]
mod model_files;
#[path = "../it/reading.rs"]
mod reading;
#[path = "../it/registrations.rs"]
mod registrations;
#[path = "../it/remembering.rs"]
mod remembering;
#[path = "../it/sealed.rs"]
mod sealed;
#[path = "../it/sharing.rs"]
mod sharing;
#[path = "../it/submitting.rs"]
mod submitting;
#[path = "../it/unsealed.rs"]
mod unsealed;
#[path = "../it/usable.rs"]
mod usable;
