//! Trainings from bars to registered versions, on real stores in temporary folders.

#![expect(clippy::unwrap_used, reason = "a broken test stops where it breaks")]

mod contests;
mod costly;
mod details;
mod enhancing;
mod environment;
mod evidence;
mod finding;
mod fixture;
mod honesty;
mod hyperparameters;
mod importing;
mod markets;
mod no_signal;
mod observing;
mod pictures;
mod recognising;
mod regimes;
mod registering;
mod resuming;
mod running;
mod sweeping;
mod training;
