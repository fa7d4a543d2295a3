//! Look-ups: runs, versions, events, and how the newest and the best model are found.

pub(crate) mod ancestors;
pub(crate) mod best;
pub(crate) mod board;
mod comparable;
pub(crate) mod events;
mod runs;
pub(crate) mod trials;
pub(crate) mod versions;
