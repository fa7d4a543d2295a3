//! The values of metrics over time.

mod history;
mod sample;

pub use history::{HistoryPage, RunValue, history, history_of_runs};
pub use sample::{Steps, sample};
