//! The data and the environment that models are trained and run on: bars with features, windows, the trading
//! environment.

pub(crate) mod closes_file;
pub(crate) mod env_spec;
pub(crate) mod episode_starts;
pub(crate) mod market_data;
pub(crate) mod observation;
pub(crate) mod params;
pub(crate) mod trading_env;
