//! Features: what a model observes of the market, as a fixed, versioned set of named numbers for each bar.
//!
//! Every feature is causal: the row of bar t is computed from the bars up to t. It has no scale: it is the same for a
//! price of 1.05 and of 300, and for a volume of 100 and of 1e11. It is clipped to its stated range and never NaN.
//! All are computed in one pass, so the row of a bar does not depend on whether bars follow.

mod matrix;
mod ratio;
mod shape;
mod stream;
mod table;
mod trend;

pub use matrix::{FeatureMatrix, features};
pub use stream::FeatureStream;
pub use table::{FEATURES_VERSION, Feature, N_FEATURES, WARM_UP_BARS, feature_names};
