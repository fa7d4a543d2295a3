//! The future cannot change the past, and the scale cannot change a feature.

use herdbook_domain::Timeframe;
use herdbook_market::{Bar, Bars, Feature, FeatureMatrix, N_FEATURES, WARM_UP_BARS, features};
use proptest::prelude::*;

use crate::data;
use crate::golden::series;

const INDICATORS: [&str; 9] = [
    "log_return",
    "rsi",
    "atr",
    "macd_line",
    "macd_signal",
    "macd_histogram",
    "percent_b",
    "volume_z_score",
    "realised_volatility",
];

fn features_of(bars: &[Bar]) -> FeatureMatrix {
    features(&Bars::new(Timeframe::Hour1, bars.to_vec()).unwrap())
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn prop_features_of_the_first_bars_are_the_first_features(bars in data::walk(140)) {
        let all = features_of(&bars);
        for k in 1..=bars.len() {
            let some = features_of(&bars[..k]);
            prop_assert_eq!(some.n_rows(), k.saturating_sub(WARM_UP_BARS));
            for bar_idx in all.first()..k {
                prop_assert_eq!(some.row(bar_idx), all.row(bar_idx));
            }
        }
    }

    #[test]
    fn prop_indicators_of_the_first_bars_are_the_first_values(bars in data::walk(60)) {
        for name in INDICATORS {
            let all = series(name, &bars, 252.0);
            for k in 1..=bars.len() {
                prop_assert_eq!(&series(name, &bars[..k], 252.0)[..], &all[..k]);
            }
        }
    }

    #[test]
    fn prop_features_lie_in_their_ranges(bars in data::walk(160)) {
        let matrix = features_of(&bars);
        for bar_idx in matrix.first()..bars.len() {
            for (value, feature) in matrix.row(bar_idx).iter().zip(Feature::ALL) {
                let is_inside = (feature.low..=feature.high).contains(value);
                prop_assert!(is_inside, "{} {}", feature.name, value);
            }
        }
    }

    #[test]
    fn prop_features_have_no_scale(bars in data::walk(130), shift in -20_i32..20) {
        // A power of two, so that the scaling itself does not round.
        let scale = 2_f64.powi(shift);
        let scaled: Vec<Bar> = bars
            .iter()
            .map(|bar| Bar {
                open: bar.open * scale,
                high: bar.high * scale,
                low: bar.low * scale,
                close: bar.close * scale,
                volume: bar.volume * scale,
                ..*bar
            })
            .collect();
        prop_assert_eq!(features_of(&scaled), features_of(&bars));
    }
}

#[test]
fn market_that_never_moves_has_features_of_zero() {
    let bar = |idx: i64| Bar {
        open_time_ms: idx * 3_600_000,
        open: 0.1,
        high: 0.1,
        low: 0.1,
        close: 0.1,
        volume: 0.0,
    };
    let bars: Vec<Bar> = (0..140).map(bar).collect();
    let matrix = features_of(&bars);
    let n_market = N_FEATURES - 4;
    assert_eq!(matrix.row(139)[..n_market], [0.0; N_FEATURES][..n_market]);
}

#[test]
fn first_features_need_exactly_the_warm_up() {
    let bars = data::sample_at(Timeframe::Hour4);
    let matrix = features_of(&bars.as_slice()[..=WARM_UP_BARS]);
    assert_eq!((matrix.first(), matrix.n_rows(), matrix.width()), (100, 1, N_FEATURES));
    assert_eq!(features_of(&bars.as_slice()[..WARM_UP_BARS]).n_rows(), 0);
}

#[test]
fn features_of_every_sample_are_neither_dead_nor_stuck_at_their_ends() {
    for timeframe in [Timeframe::Minute15, Timeframe::Hour1, Timeframe::Day1] {
        let bars = data::sample_at(timeframe);
        let matrix = features(&bars);
        for (idx, feature) in Feature::ALL.iter().enumerate() {
            let values: Vec<f32> =
                (matrix.first()..bars.len()).map(|bar_idx| matrix.row(bar_idx)[idx]).collect();
            let n_inside = values.iter().filter(|it| **it > feature.low && **it < feature.high);
            let is_clock = feature.name.starts_with("day_") || feature.name.starts_with("week_");
            let is_one_sided = feature.low == 0.0;
            assert!(
                is_clock || is_one_sided || n_inside.count() * 100 > values.len() * 90,
                "{timeframe} {}",
                feature.name
            );
            let is_constant = values.iter().all(|value| *value == values[0]);
            assert!(is_clock || !is_constant, "{timeframe} {}", feature.name);
        }
    }
}
