//! Metrics of an equity curve.

mod annualised_return;
mod calmar_ratio;
mod max_drawdown;
mod max_drawdown_duration;
mod total_return;

pub use annualised_return::annualised_return;
pub use calmar_ratio::calmar_ratio;
pub use max_drawdown::max_drawdown;
pub use max_drawdown_duration::max_drawdown_duration;
pub use total_return::total_return;
