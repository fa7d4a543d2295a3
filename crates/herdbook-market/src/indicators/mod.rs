//! Indicators: bar by bar, from the bars up to now and nothing else.
//!
//! Each is a small state machine: `push` takes the newest bar's values and answers with the
//! indicator's value, `None` while it warms up. That it cannot see the future follows from its
//! shape. Windows end at the newest bar and include it; their standard deviation has the window's
//! length as divisor, from a fresh two-pass sum (running sums of squares lose half the digits).

mod atr;
mod ema;
mod log_return;
mod macd;
mod percent_b;
mod realised_volatility;
mod rsi;
mod volume_z_score;
mod wilder;
mod window;

pub use atr::{Atr, true_range};
pub use ema::Ema;
pub use log_return::LogReturn;
pub use macd::{Macd, MacdValue};
pub use percent_b::PercentB;
pub use realised_volatility::RealisedVolatility;
pub use rsi::Rsi;
pub use volume_z_score::VolumeZScore;
pub use wilder::WilderAverage;
pub use window::{Window, mean, mean_square, rounding, standard_deviation};
