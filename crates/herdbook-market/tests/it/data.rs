//! The carried data, and bars made for tests.

use herdbook_domain::Timeframe;
use herdbook_market::{Bar, Bars, RawBars, Sample, read_csv, resample};
use proptest::prelude::*;
use serde_json::Value;

/// Frozen cases: `testdata/README.md` says where they come from.
pub(crate) fn golden() -> Value {
    serde_json::from_str(include_str!("../../../../testdata/golden.json")).unwrap()
}

/// The bars of a carried file.
pub(crate) fn raw_bars(file_name: &str) -> RawBars {
    let sample = Sample::ALL.into_iter().find(|sample| sample.file_name == file_name).unwrap();
    read_csv(&sample.csv().unwrap(), file_name).unwrap()
}

/// A carried sample at a timeframe.
pub(crate) fn sample_at(timeframe: Timeframe) -> Bars {
    resample(raw_bars(Sample::for_timeframe(timeframe).file_name), timeframe).unwrap()
}

/// A walk of the price with gaps in time, flat stretches and bars without volume.
pub(crate) fn walk(n_bars: usize) -> impl Strategy<Value = Vec<Bar>> {
    let step = (-300_i32..300, 0_i32..100, 0_i32..100, 0_u32..5, prop::bool::weighted(0.8));
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
