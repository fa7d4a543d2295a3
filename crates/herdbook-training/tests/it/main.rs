//! Trainings from bars to registered versions, on real stores in temporary folders.

#![expect(clippy::unwrap_used, reason = "a broken test stops where it breaks")]

mod barn;
mod enhancing;
mod environment;
mod honesty;
mod resuming;
mod running;
mod sweeping;
mod training;
