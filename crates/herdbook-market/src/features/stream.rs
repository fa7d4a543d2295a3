//! The features, bar by bar.

use std::f64::consts::TAU;

use herdbook_domain::Timeframe;

use super::ratio::{in_volatilities, log_ratio};
use super::shape::Shape;
use super::table::{Feature, N_FEATURES};
use super::trend::Trend;
use crate::bars::Bar;
use crate::indicators::{RollingWindow, VolumeZScore, mean};

const DAY_MS: i64 = 86_400_000;
const WEEK_MS: i64 = 7 * DAY_MS;
/// 1970-01-01 was a Thursday, three days after a Monday.
const MONDAY_SHIFT_MS: i64 = 3 * DAY_MS;

/// Computes features bar by bar, as they arrive in live trading.
#[derive(Debug, Clone)]
pub struct FeatureStream {
    bar_ms: f64,
    previous: Option<Bar>,
    trend: Trend,
    shape: Shape,
    volume_z: VolumeZScore,
    volumes: RollingWindow,
}

impl FeatureStream {
    /// A stream before its first bar.
    pub fn new(timeframe: Timeframe) -> Self {
        Self {
            bar_ms: timeframe.millis() as f64,
            previous: None,
            trend: Trend::new(),
            shape: Shape::new(),
            volume_z: VolumeZScore::new(20),
            volumes: RollingWindow::new(20),
        }
    }

    /// Takes the newest bar and returns its features, in the order of [`feature_names`](crate::feature_names); `None` for
    /// the first [`WARM_UP_BARS`](crate::WARM_UP_BARS) bars.
    pub fn push(&mut self, bar: &Bar) -> Option<[f32; N_FEATURES]> {
        let previous = self.previous.replace(*bar);
        let shape = self.shape.push(bar, previous.as_ref());
        let trend = self.trend.push(bar);
        let volume = self.volume(bar.volume);
        let (shape, trend, volume, previous) = (shape?, trend?, volume?, previous?);
        let time_gap = self.time_gap(bar, &previous);
        let (day_sin, day_cos) = clock(bar.open_time_ms, DAY_MS);
        let (week_sin, week_cos) = clock(bar.open_time_ms + MONDAY_SHIFT_MS, WEEK_MS);
        let values: [f64; N_FEATURES] = [
            trend.return_1,
            trend.return_2,
            trend.return_5,
            trend.return_10,
            trend.return_20,
            trend.return_50,
            trend.return_100,
            in_volatilities((bar.open / previous.close).ln(), trend.sigma_20),
            trend.volatility_5_20,
            trend.volatility_20_100,
            log_ratio(shape.atr / bar.close, trend.sigma_20),
            shape.true_range,
            shape.body,
            shape.upper_wick,
            shape.lower_wick,
            trend.rsi,
            shape.in_atrs(4.0 * trend.macd_histogram),
            trend.percent_b,
            shape.in_atrs(bar.close - trend.sma_10),
            shape.in_atrs(bar.close - trend.sma_50) / 5_f64.sqrt(),
            shape.in_atrs(bar.close - trend.sma_100) / 10_f64.sqrt(),
            shape.range_position_20,
            shape.range_position_100,
            trend.efficiency_20,
            trend.autocorrelation_20,
            volume.0,
            volume.1,
            time_gap,
            day_sin,
            day_cos,
            week_sin,
            week_cos,
        ];
        let clipped = |idx: usize| Feature::ALL[idx].clip(values[idx]);
        Some(std::array::from_fn(clipped))
    }

    /// The features `volume_z_20` and `volume_5_20`.
    fn volume(&mut self, volume: f64) -> Option<(f64, f64)> {
        self.volumes.push(volume);
        let z_score = self.volume_z.push(volume)?;
        let (short, long) = (mean(self.volumes.last(5)?), mean(self.volumes.last(20)?));
        let ratio = if long > 0.0 { short / long - 1.0 } else { 0.0 };
        Some((z_score, ratio))
    }

    fn time_gap(&self, bar: &Bar, previous: &Bar) -> f64 {
        let elapsed_ms = (bar.open_time_ms - previous.open_time_ms) as f64;
        (elapsed_ms / self.bar_ms).ln() / 4.0
    }
}

/// Sine and cosine of the position within a period.
fn clock(at_ms: i64, period_ms: i64) -> (f64, f64) {
    (at_ms.rem_euclid(period_ms) as f64 / period_ms as f64 * TAU).sin_cos()
}
