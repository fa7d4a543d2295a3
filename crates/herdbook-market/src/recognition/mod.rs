//! Recognition of bars by content: whether two series show the same price moves, whatever the instrument is called, the
//! prices are multiplied by, the timeframe is, and the times are shifted by.

mod alignment;
mod block_scan;
mod candidates;
mod closes;
mod common_grid;
mod horizon_scan;
mod moves;
mod recognise;
mod same_time;
mod shortcuts;

pub use closes::Closes;
pub use recognise::{Likeness, Recogniser, recognise};
pub use same_time::{SameTime, compare_at_same_time};
