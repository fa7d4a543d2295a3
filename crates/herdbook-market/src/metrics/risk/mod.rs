//! Metrics of the spread and shape of returns.

mod downside_deviation;
mod kelly_per_bar;
mod moments;
mod sortino_ratio;
mod value_at_risk;
mod volatility;

pub use downside_deviation::downside_deviation;
pub use kelly_per_bar::kelly_per_bar;
pub use moments::{kurtosis, skew};
pub use sortino_ratio::sortino_ratio;
pub use value_at_risk::{conditional_value_at_risk, value_at_risk};
pub use volatility::volatility;
