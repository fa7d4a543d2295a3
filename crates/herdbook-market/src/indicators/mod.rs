//! Technical indicators, computed bar by bar.
//!
//! Each indicator is a small state machine: `push` takes the values of the newest bar and returns the indicator's value,
//! or `None` during the warm-up. So it cannot depend on later bars. Windows include the newest bar. Standard deviations
//! divide by the length of the window. They are computed from the whole window for each bar, in two passes, because
//! running sums of squares lose half of the digits.

mod atr;
mod ema;
mod log_return;
mod macd;
mod percent_b;
mod realised_volatility;
mod rolling_window;
mod rsi;
mod volume_z_score;
mod wilder;

pub use atr::{Atr, true_range};
pub use ema::Ema;
pub use log_return::LogReturn;
pub use macd::{Macd, MacdValue};
pub use percent_b::PercentB;
pub use realised_volatility::RealisedVolatility;
pub use rolling_window::{RollingWindow, mean, mean_square, rounding, standard_deviation};
pub use rsi::Rsi;
pub use volume_z_score::VolumeZScore;
pub use wilder::WilderAverage;
