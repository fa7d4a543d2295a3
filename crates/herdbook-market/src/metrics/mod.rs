//! Performance metrics: one file each, with formula, unit and undefined case.
//!
//! Equity is the account's value after costs at each bar's close, before the first trade first.
//! Fractions are fractions (0.12 is 12 %), losses are positive, ratios are per year unless their
//! name says otherwise. A metric that is undefined is `None`, never NaN, infinity or a huge number:
//! also where an input is not finite, or the result would not be.

mod annualised_return;
mod bootstrap;
mod calmar_ratio;
mod deflated_sharpe_ratio;
mod downside_deviation;
mod expectancy;
mod exposure_time;
mod kelly_per_bar;
mod kelly_trades;
mod max_drawdown;
mod max_drawdown_duration;
mod min_track_record_length;
mod moments;
mod normal;
mod payoff_ratio;
mod performance;
mod probabilistic_sharpe_ratio;
mod profit_factor;
mod returns;
mod sharpe_estimate;
mod sharpe_ratio;
mod sortino_ratio;
mod sqn;
mod total_return;
mod turnover;
mod value_at_risk;
mod volatility;
mod win_rate;

pub use annualised_return::annualised_return;
pub use bootstrap::{
    SharpeInterval, optimal_block, sharpe_interval, sharpe_interval_of, stationary_indices,
};
pub use calmar_ratio::calmar_ratio;
pub use deflated_sharpe_ratio::{
    Trials, deflated_sharpe_ratio, expected_max_sharpe, expected_max_z,
};
pub use downside_deviation::downside_deviation;
pub use expectancy::expectancy;
pub use exposure_time::exposure_time;
pub use kelly_per_bar::kelly_per_bar;
pub use kelly_trades::kelly_trades;
pub use max_drawdown::max_drawdown;
pub use max_drawdown_duration::max_drawdown_duration;
pub use min_track_record_length::min_track_record_length;
pub use moments::{kurtosis, skew};
pub use payoff_ratio::payoff_ratio;
pub use performance::{Activity, Performance, performance};
pub use probabilistic_sharpe_ratio::probabilistic_sharpe_ratio;
pub use profit_factor::profit_factor;
pub use returns::{mean, returns, sample_deviation};
pub use sharpe_estimate::SharpeEstimate;
pub use sharpe_ratio::{sharpe_per_bar, sharpe_ratio};
pub use sortino_ratio::sortino_ratio;
pub use sqn::sqn;
pub use total_return::total_return;
pub use turnover::turnover;
pub use value_at_risk::{conditional_value_at_risk, value_at_risk};
pub use volatility::volatility;
pub use win_rate::win_rate;

/// A spread up to this is rounding: an account that grows 0.1 % each bar has returns that are equal
/// but for their last digit, and no Sharpe ratio of 3.5e14.
const NO_SPREAD: f64 = 1e-14;

/// The value, unless it is NaN or infinite.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// Whether all values are finite.
fn all_finite(values: &[f64]) -> bool {
    values.iter().all(|value| value.is_finite())
}
