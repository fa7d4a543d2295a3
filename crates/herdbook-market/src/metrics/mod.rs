//! Performance metrics: one file each, with formula, unit and the case in which it is undefined.
//!
//! An equity curve is the account's value after costs at each bar's close, with the value before the first trade first.
//! Fractions are fractions (0.12 is 12 %), losses are positive, and ratios are per year unless their name says otherwise.
//! An undefined metric is `None`, never NaN, infinity or a huge number. It is undefined also where an input is not finite
//! or the result would not be.

mod activity;
mod basics;
mod equity;
mod performance;
mod risk;
mod sharpe;
mod trades;

pub use activity::{exposure_time, turnover};
pub use basics::{mean, returns, sample_deviation};
pub use equity::{
    annualised_return, calmar_ratio, max_drawdown, max_drawdown_duration, total_return,
};
pub use performance::{Activity, Performance, performance};
pub use risk::{
    conditional_value_at_risk, downside_deviation, kelly_per_bar, kurtosis, skew, sortino_ratio,
    value_at_risk, volatility,
};
pub use sharpe::{
    LeaveOut, SharpeComparison, SharpeDifference, SharpeEstimate, SharpeInterval, Trials,
    deflated_sharpe_ratio, expected_max_sharpe, expected_max_z, min_track_record_length,
    most_decisive, optimal_block, probabilistic_sharpe_ratio, sharpe_interval, sharpe_interval_of,
    sharpe_per_bar, sharpe_ratio, stationary_indices,
};
pub use trades::{expectancy, kelly_trades, payoff_ratio, profit_factor, sqn, win_rate};
