//! The features bar by bar.

use std::f64::consts::TAU;

use herdbook_domain::Timeframe;

use super::shape::Shape;
use super::table::{Feature, N_FEATURES};
use super::trend::Trend;
use crate::Bar;
use crate::indicators::{VolumeZScore, Window, mean};

const DAY_MS: i64 = 86_400_000;
const WEEK_MS: i64 = 7 * DAY_MS;
/// 1970-01-01 was a Thursday, three days after a Monday.
const MONDAY_SHIFT_MS: i64 = 3 * DAY_MS;

/// Computes the features of one bar after the other, as live trading gets them.
#[derive(Debug, Clone)]
pub struct FeatureStream {
    bar_ms: f64,
    previous: Option<Bar>,
    trend: Trend,
    shape: Shape,
    volume_z: VolumeZScore,
    volumes: Window,
}

impl FeatureStream {
    /// Nothing seen yet.
    pub fn new(timeframe: Timeframe) -> Self {
        Self {
            bar_ms: timeframe.millis() as f64,
            previous: None,
            trend: Trend::new(),
            shape: Shape::new(),
            volume_z: VolumeZScore::new(20),
            volumes: Window::new(20),
        }
    }

    /// Takes the newest bar; its features once [`super::WARM_UP_BARS`] came before it.
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
            share((bar.open / previous.close).ln(), trend.sigma_20),
            trend.volatility_5_20,
            trend.volatility_20_100,
            log_share(shape.atr / bar.close, trend.sigma_20),
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

    /// The z-score and the short mean against the long one.
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

/// What is smaller than this share of the price is rounding: 1e-4 of a tick of 1e-8.
const FLAT: f64 = 1e-12;

/// A change in units of a volatility, both as shares of the price; 0 where nothing moves.
pub(super) fn share(change: f64, volatility: f64) -> f64 {
    if volatility > FLAT { change / volatility } else { 0.0 }
}

/// Logarithm of the ratio of two volatilities; 0 where either does not move.
pub(super) fn log_share(left: f64, right: f64) -> f64 {
    if left > FLAT && right > FLAT { (left / right).ln() } else { 0.0 }
}

/// A moment as a point on a circle.
fn clock(at_ms: i64, period_ms: i64) -> (f64, f64) {
    (at_ms.rem_euclid(period_ms) as f64 / period_ms as f64 * TAU).sin_cos()
}
