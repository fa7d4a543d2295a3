//! Bars, resampling, features, the simulated account and performance metrics.
//!
//! Everything here is a pure function of its arguments: bytes become bars, bars become features, target positions become
//! equity, equity becomes metrics. This crate does no IO, reads no clock, and draws random numbers from a fixed seed only.

mod account;
mod advice;
mod bars;
mod error;
mod features;
mod folds;
pub mod indicators;
mod jumps;
mod location;
pub mod metrics;
mod read;
mod recognition;
mod resample;
mod samples;
mod split;
mod time;

pub use account::{Account, CostModel, Ledger, Position, Trade};
pub use bars::{Bar, Bars};
pub use error::{BadRow, MarketError};
pub use features::{
    FEATURES_VERSION, Feature, FeatureMatrix, FeatureStream, N_FEATURES, WARM_UP_BARS,
    feature_names, features,
};
pub use folds::{Fold, folds, walk_forward};
pub use jumps::{Jump, jumps};
pub use location::{FieldLocation, RowLocation};
pub use read::{
    BadRows, BarStamp, DecimalMark, RawBars, ReadOptions, RecognisedColumn, TimeFormat, Zone,
    read_bars, read_bars_as,
};
pub use recognition::{Closes, Likeness, Recogniser, SameTime, compare_at_same_time, recognise};
pub use resample::resample;
pub use samples::Sample;
pub use split::{BarWindow, Boundaries, MIN_BARS, N_EVALUATION_EPISODES, Split, split};
pub use time::Utc;
