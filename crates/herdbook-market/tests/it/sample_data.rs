//! The carried data: counts and hashes that must never change unnoticed.

use herdbook_domain::Timeframe::{self, Day1, Hour1, Hour4, Minute1, Minute5, Minute15, Minute30};
use herdbook_market::{Bars, Boundaries, Sample, features, read_bars, resample, split};

use crate::data;

#[test]
fn samples_are_read_whole() {
    let expected =
        [("EURUSD", 6_225, 3_600_000), ("IBM", 3_270, 86_400_000), ("SPY", 97_668, 60_000)];
    for (sample, (symbol, n_bars, bar_length_ms)) in Sample::ALL.iter().zip(expected) {
        let raw = data::raw_bars(sample.file_name);
        assert_eq!((sample.symbol, raw.as_slice().len()), (symbol, n_bars));
        assert_eq!((raw.bar_length_ms(), raw.n_repeated_rows()), (bar_length_ms, 0), "{symbol}");
        let meanings: Vec<&str> = raw.columns().iter().map(|column| column.meaning).collect();
        assert_eq!(meanings, ["time", "open", "high", "low", "close", "volume"]);
    }
}

/// Counted apart from this crate, as the number of different bins of the times.
#[test]
fn samples_have_the_expected_number_of_bars_at_each_timeframe() {
    let spy = [
        (Minute1, 97_668),
        (Minute5, 19_534),
        (Minute15, 6_512),
        (Minute30, 3_256),
        (Hour1, 1_754),
        (Hour4, 588),
        (Day1, 252),
    ];
    for (timeframe, n_bars) in spy {
        assert_eq!(at("spy_1m_2019.csv", timeframe).len(), n_bars, "{timeframe}");
    }
    for (timeframe, n_bars) in [(Hour1, 6_225), (Hour4, 1_609), (Day1, 312)] {
        assert_eq!(at("eurusd_1h_2017.csv", timeframe).len(), n_bars, "{timeframe}");
    }
    assert_eq!(at("ibm_1d_2000_2013.csv", Day1).len(), 3_270);
}

fn at(file_name: &str, timeframe: Timeframe) -> Bars {
    resample(data::raw_bars(file_name), timeframe).unwrap()
}

/// Computed apart from this crate, with Python's `struct` and `hashlib`.
#[test]
fn hashes_of_the_bars_do_not_change() {
    let hashes = [Minute15, Hour1, Day1].map(|timeframe| data::sample_at(timeframe).sha256());
    assert_eq!(
        hashes,
        [
            "002d5cf2e665838de418821707bac610eab55649d68f590faa464cc9dac81c8c",
            "03699fce976623aec04b0035863c8b288618e74abb487e3ba3de49580dec1a9b",
            "7f214d215c8d36e34fe1f8ac99f992f680ac73f6b464c1b0b8a0dfd719a3c556",
        ]
    );
}

#[test]
fn every_timeframe_can_be_tried_on_its_sample() {
    for timeframe in Timeframe::ALL.iter().copied() {
        let sample = Sample::for_timeframe(timeframe);
        let raw = read_bars(&sample.csv().unwrap(), sample.file_name).unwrap();
        let bars = resample(raw, timeframe).unwrap();
        let split = split(&bars, Boundaries::default()).unwrap();
        assert_eq!(split.test.bars.end, bars.len());
        assert_eq!(features(&bars).n_rows(), bars.len() - 100);
        assert!(bars.bars_per_year().is_some());
    }
}

#[test]
fn day_of_a_stock_has_its_session_and_keeps_its_volume() {
    let (minutes, days) = (at("spy_1m_2019.csv", Minute1), at("spy_1m_2019.csv", Day1));
    let first = &minutes.as_slice()[..390];
    let day = days.as_slice()[0];
    assert_eq!(
        (day.open_time_ms, day.open.to_bits()),
        (1_546_387_200_000, first[0].open.to_bits())
    );
    assert_eq!(day.close.to_bits(), first[389].close.to_bits());
    assert_eq!(day.volume.to_bits(), first.iter().map(|bar| bar.volume).sum::<f64>().to_bits());
}
