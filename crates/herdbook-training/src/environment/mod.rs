//! What models are trained and run on: bars with features, windows, and the trading environment over them.

pub(crate) mod env_spec;
pub(crate) mod episode_starts;
pub(crate) mod market_data;
pub(crate) mod observation;
pub(crate) mod params;
pub(crate) mod trading_env;
