//! What holds for every file.

use std::fmt::Write as _;

use herdbook_domain::Timeframe;
use herdbook_market::{Bar, Bars, Utc, read_bars, resample};
use proptest::prelude::*;

use crate::data;

fn printed(bars: &[Bar]) -> String {
    let mut text = String::from("time,open,high,low,close,volume\n");
    for bar in bars {
        let Bar { open_time_ms, open, high, low, close, volume } = bar;
        writeln!(text, "{},{open},{high},{low},{close},{volume}", Utc(*open_time_ms)).unwrap();
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn prop_bars_printed_and_read_are_the_same(bars in data::walk(60)) {
        let raw = read_bars(printed(&bars).as_bytes(), "a.csv").unwrap();
        prop_assert_eq!(raw.as_slice(), &bars[..]);
    }

    #[test]
    fn prop_merged_bars_are_valid_and_lose_nothing(bars in data::walk(120)) {
        for timeframe in [Timeframe::Hour4, Timeframe::Day1] {
            let raw = read_bars(printed(&bars).as_bytes(), "a.csv").unwrap();
            let merged = resample(raw, timeframe).unwrap();
            prop_assert_eq!(&Bars::new(timeframe, merged.as_slice().to_vec()).unwrap(), &merged);
            let volume = |bars: &[Bar]| bars.iter().map(|bar| bar.volume).sum::<f64>();
            prop_assert_eq!(volume(merged.as_slice()), volume(&bars));
            let highest = |bars: &[Bar]| bars.iter().map(|bar| bar.high).fold(0.0, f64::max);
            prop_assert_eq!(highest(merged.as_slice()), highest(&bars));
        }
    }

    #[test]
    fn prop_no_row_makes_reading_panic(rows in "[0-9a-zA-Z:./+ ,;\"\n\r\t\u{e9}-]{0,80}") {
        let _ = read_bars(format!("time,open,high,low,close\n{rows}").as_bytes(), "a.csv");
        let _ = read_bars(format!("date,time,o,h,l,c,v\n{rows}").as_bytes(), "a.csv");
    }

    #[test]
    fn prop_no_time_makes_reading_panic(time in "[0-9TZ:./+ \u{e9}-]{0,30}") {
        let _ = read_bars(format!("time,o,h,l,c\n{time},1,1,1,1").as_bytes(), "a.csv");
    }

    #[test]
    fn prop_no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = read_bars(&bytes, "a.csv");
    }
}
