//! The details of a result: training, validation and test side by side, simple rules on the same bars, other costs, and
//! the result by volatility, trend and time.
//!
//! Everything is computed from the bars, the actions of the model and a fixed seed, so the same model has the same details.

pub(crate) mod breakdown;
pub(crate) mod figures;
pub(crate) mod holding_time;
pub(crate) mod measured;
pub(crate) mod replay;
pub(crate) mod rivals;
pub(crate) mod stored;
pub(crate) mod tables;
pub(crate) mod verdict;
pub(crate) mod windows;
pub(crate) mod words;
