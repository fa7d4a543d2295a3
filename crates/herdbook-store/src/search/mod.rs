//! Look-ups: runs, versions and events, and the search for the newest and the best model.

pub(crate) mod ancestors;
pub(crate) mod best;
pub(crate) mod board;
pub(crate) mod curve;
pub(crate) mod disagreement;
pub(crate) mod events;
pub(crate) mod history;
pub(crate) mod known_closes;
pub(crate) mod listing;
pub(crate) mod model_page;
pub(crate) mod relatives;
pub(crate) mod run_prefix;
mod runs;
pub(crate) mod trials;
pub(crate) mod versions;
