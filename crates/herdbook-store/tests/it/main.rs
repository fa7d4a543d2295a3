//! The store through its public acts, on real databases.

#![expect(clippy::unwrap_used, reason = "a broken test stops where it breaks")]

mod backend;
mod chance;
mod conditions;
mod doctor;
mod doctor_facts;
mod doctor_rows;
mod doctor_tables;
mod entering;
mod faults;
mod finding;
mod foreign;
mod foreign_runs;
mod herd;
mod life;
mod model_files;
mod opening;
mod reading;
mod registrations;
mod remembering;
mod run_prefixes;
mod sealed;
mod sharing;
mod streams;
mod submitting;
mod trials;
mod unsealed;
mod usable;
