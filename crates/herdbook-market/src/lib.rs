//! Bars, resampling, features, the simulated account, performance metrics
