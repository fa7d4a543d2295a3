//! Resampling: the bars of a file become bars of the requested timeframe.

mod bin;
mod merge;
mod sessions;

pub use merge::resample;
