//! Properties of the rulebook as a whole.

#![expect(clippy::unwrap_used, reason = "a broken test stops where it breaks")]

mod doctor;
mod doctor_runs;
mod filters;
mod honesty;
mod import;
mod import_history;
mod lineage;
mod log;
mod promotion;
mod register;
mod rules;
mod values;
