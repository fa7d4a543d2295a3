//! Metrics of how much an account was in the market and traded.

mod exposure_time;
mod turnover;

pub use exposure_time::exposure_time;
pub use turnover::turnover;
