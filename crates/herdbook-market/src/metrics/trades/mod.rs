//! Metrics of closed trades.

mod expectancy;
mod kelly_trades;
mod payoff_ratio;
mod profit_factor;
mod sqn;
mod win_rate;

pub use expectancy::expectancy;
pub use kelly_trades::kelly_trades;
pub use payoff_ratio::payoff_ratio;
pub use profit_factor::profit_factor;
pub use sqn::sqn;
pub use win_rate::win_rate;
