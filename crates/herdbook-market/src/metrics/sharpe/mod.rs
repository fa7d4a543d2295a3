//! The Sharpe ratio, and how certain an estimate of it is.

mod bootstrap;
mod comparison;
mod deflated_sharpe_ratio;
mod estimate;
mod leave_out;
mod long_run_variance;
mod min_track_record_length;
mod moments;
mod normal;
mod probabilistic_sharpe_ratio;
mod sharpe_ratio;

pub use bootstrap::{
    SharpeInterval, optimal_block, sharpe_interval, sharpe_interval_of, stationary_indices,
};
pub use comparison::{SharpeComparison, SharpeDifference};
pub use deflated_sharpe_ratio::{
    Trials, deflated_sharpe_ratio, expected_max_sharpe, expected_max_z,
};
pub use estimate::SharpeEstimate;
pub use leave_out::{LeaveOut, most_decisive};
pub use min_track_record_length::min_track_record_length;
pub use probabilistic_sharpe_ratio::probabilistic_sharpe_ratio;
pub use sharpe_ratio::{sharpe_per_bar, sharpe_ratio};
