//! The table of features: names, ranges and meaning, in the order of a row.

/// Version of the feature set, recorded with every model. It increases with any change of a feature, its range or the
/// order.
pub const FEATURES_VERSION: u32 = 1;

/// Number of features.
pub const N_FEATURES: usize = TABLE.len();

/// Number of bars before the first one with features: the longest look-back of a feature.
pub const WARM_UP_BARS: usize = 100;

/// One feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Feature {
    /// Name; it does not change within a version.
    pub name: &'static str,
    /// Smallest value; lower ones are clipped to it.
    pub low: f32,
    /// Largest value; higher ones are clipped to it.
    pub high: f32,
    /// The formula. σn is the root mean square of the last n log returns.
    pub meaning: &'static str,
}

const fn feature(name: &'static str, range: (f32, f32), meaning: &'static str) -> Feature {
    Feature { name, low: range.0, high: range.1, meaning }
}

const WIDE: (f32, f32) = (-5.0, 5.0);
const UNIT: (f32, f32) = (-1.0, 1.0);

// One feature per line.
#[rustfmt::skip]
const TABLE: [Feature; 32] = [
    feature("return_1", WIDE, "log return of the bar / σ20"),
    feature("return_2", WIDE, "log return over 2 bars / (σ20·√2)"),
    feature("return_5", WIDE, "log return over 5 bars / (σ20·√5)"),
    feature("return_10", WIDE, "log return over 10 bars / (σ20·√10)"),
    feature("return_20", WIDE, "log return over 20 bars / (σ20·√20)"),
    feature("return_50", WIDE, "log return over 50 bars / (σ100·√50)"),
    feature("return_100", WIDE, "log return over 100 bars / (σ100·√100)"),
    feature("open_gap", WIDE, "log return from the last close to the open / σ20"),
    feature("volatility_5_20", (-3.0, 3.0), "ln(σ5 / σ20)"),
    feature("volatility_20_100", (-3.0, 3.0), "ln(σ20 / σ100)"),
    feature("range_to_volatility", (-3.0, 3.0), "ln(ATR14 / (close·σ20))"),
    feature("true_range", (-1.0, 5.0), "true range / ATR14 - 1"),
    feature("body", WIDE, "(close - open) / ATR14"),
    feature("upper_wick", (0.0, 5.0), "(high - larger of open and close) / ATR14"),
    feature("lower_wick", (0.0, 5.0), "(smaller of open and close - low) / ATR14"),
    feature("rsi_14", (-2.0, 2.0), "(RSI14 - 50) / 25"),
    feature("macd_histogram", WIDE, "4·MACD(12, 26, 9) histogram / ATR14"),
    feature("percent_b", (-3.0, 3.0), "2·(%B(20, 2) - 0.5)"),
    feature("distance_sma_10", WIDE, "(close - SMA10) / ATR14"),
    feature("distance_sma_50", WIDE, "(close - SMA50) / (ATR14·√5)"),
    feature("distance_sma_100", WIDE, "(close - SMA100) / (ATR14·√10)"),
    feature("range_position_20", UNIT, "close within the last 20 bars' low (-1) and high (1)"),
    feature("range_position_100", UNIT, "close within the last 100 bars' low (-1) and high (1)"),
    feature("efficiency_20", UNIT, "log return over 20 bars / sum of their absolute log returns"),
    feature("autocorrelation_20", UNIT, "Σ r_t·r_(t-1) / Σ r_t² over the last 20 log returns"),
    feature("volume_z_20", WIDE, "volume z-score over 20 bars"),
    feature("volume_5_20", (-1.0, 3.0), "mean volume of 5 bars / of 20 bars - 1"),
    feature("time_gap", (0.0, 3.0), "ln(time since the last bar / bar length) / 4"),
    feature("day_sin", UNIT, "sine of the time of day (UTC) of the bar's open"),
    feature("day_cos", UNIT, "cosine of it"),
    feature("week_sin", UNIT, "sine of the time of the week (from Monday, UTC)"),
    feature("week_cos", UNIT, "cosine of it"),
];

const NAMES: [&str; N_FEATURES] = names();

impl Feature {
    /// All features, in the order of a row.
    pub const ALL: &'static [Self; N_FEATURES] = &TABLE;

    /// The value, clipped to the range; 0 for NaN.
    pub(super) fn clip(&self, value: f64) -> f32 {
        let value = value as f32;
        if value.is_nan() { 0.0 } else { value.clamp(self.low, self.high) }
    }
}

/// Names of the features, in the order of a row.
pub const fn feature_names() -> &'static [&'static str] {
    &NAMES
}

const fn names() -> [&'static str; N_FEATURES] {
    let mut names = [""; N_FEATURES];
    let mut idx = 0;
    while idx < N_FEATURES {
        names[idx] = TABLE[idx].name;
        idx += 1;
    }
    names
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these values are exact")]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_ranges_hold_zero() {
        for (idx, feature) in TABLE.iter().enumerate() {
            assert!(!NAMES[..idx].contains(&feature.name), "{}", feature.name);
            assert!(feature.low <= 0.0 && feature.high > 0.0, "{}", feature.name);
        }
        assert_eq!(feature_names()[0], "return_1");
    }

    #[test]
    fn values_are_clipped_and_never_nan() {
        assert_eq!(TABLE[0].clip(1e300), 5.0);
        assert_eq!(TABLE[0].clip(-7.0), -5.0);
        assert_eq!(TABLE[0].clip(f64::NAN), 0.0);
    }
}
