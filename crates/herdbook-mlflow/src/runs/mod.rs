//! Runs: searched and read.

pub(crate) mod order;
pub(crate) mod record;
pub(crate) mod search;
