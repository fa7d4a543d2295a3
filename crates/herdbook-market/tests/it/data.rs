//! The carried data, and bars made for tests.

use herdbook_domain::Timeframe;
use herdbook_market::{Bar, Bars, RawBars, Sample, read_bars, resample};
use proptest::prelude::*;
use serde_json::Value;

/// Frozen cases: `testdata/README.md` says where they come from.
pub(crate) fn golden() -> Value {
    serde_json::from_str(include_str!("../../../../testdata/golden.json")).unwrap()
}

/// 2017-01-02T07:00:00Z.
pub(crate) const FIRST_MS: i64 = 1_483_340_400_000;

/// Three hourly bars, as every kind of file holds them.
pub(crate) fn three_bars() -> Vec<Bar> {
    let rows = [
        (1.05, 1.06, 1.04, 1.055, 10.0),
        (1.055, 1.07, 1.05, 1.06, 0.0),
        (1.06, 1.061, 1.02, 1.03, 7.0),
    ];
    let bar = |(idx, (open, high, low, close, volume)): (usize, (f64, f64, f64, f64, f64))| Bar {
        open_time_ms: FIRST_MS + idx as i64 * 3_600_000,
        open,
        high,
        low,
        close,
        volume,
    };
    rows.into_iter().enumerate().map(bar).collect()
}

/// The bars of a carried file.
pub(crate) fn raw_bars(file_name: &str) -> RawBars {
    let sample = Sample::ALL.into_iter().find(|sample| sample.file_name == file_name).unwrap();
    read_bars(&sample.csv().unwrap(), file_name).unwrap()
}

/// A carried sample at a timeframe.
pub(crate) fn sample_at(timeframe: Timeframe) -> Bars {
    resample(raw_bars(Sample::for_timeframe(timeframe).file_name), timeframe).unwrap()
}

/// A walk of the price with gaps in time, flat stretches and bars without volume.
pub(crate) fn walk(n_bars: usize) -> impl Strategy<Value = Vec<Bar>> {
    // Steps of 50 hours are rare enough that they are never the most frequent ones.
    let step = (-300_i32..300, 0_i32..100, 0_i32..100, 0_u32..12, prop::bool::weighted(0.8));
    (1.0..1_000.0_f64, prop::collection::vec(step, n_bars)).prop_map(|(start, steps)| {
        let (mut price, mut at_ms) = (start, 1_483_308_000_000);
        let mut bar = |(change, above, below, volume, moves): (i32, i32, i32, u32, bool)| {
            let scale = if moves { 1e-4 } else { 0.0 };
            let open = price;
            price *= 1.0 + scale * f64::from(change);
            let high = open.max(price) * (1.0 + scale * f64::from(above));
            let low = open.min(price) * (1.0 - scale * f64::from(below));
            at_ms += 3_600_000 * if volume == 4 { 50 } else { 1 };
            Bar { open_time_ms: at_ms, open, high, low, close: price, volume: f64::from(volume) }
        };
        steps.into_iter().map(&mut bar).collect()
    })
}
