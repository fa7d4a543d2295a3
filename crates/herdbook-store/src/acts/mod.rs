//! The acts of the rulebook on the records, each one transaction.
//!
//! An act reads the facts, asks `herdbook-domain` for a plan, and carries it out. Nothing slow runs in its transaction:
//! files are read and hashed before.

mod acceptance;
mod artifacts;
mod conditions;
mod description;
pub(crate) mod doctor;
pub(crate) mod entry;
pub(crate) mod evaluation;
pub(crate) mod evidence_files;
pub(crate) mod files;
pub(crate) mod foreign_run;
mod lease;
mod limits;
pub(crate) mod promotion;
pub(crate) mod registration;
pub(crate) mod relocation;
pub(crate) mod run;
pub(crate) mod sealing;
pub(crate) mod served;
pub(crate) mod submission;
pub(crate) mod usability;
pub(crate) mod verification;
pub(crate) mod version_row;
