//! Properties of the rulebook as a whole.

#![expect(clippy::unwrap_used, reason = "a broken test stops where it breaks")]

mod doctor;
mod import;
mod register;
mod rules;
