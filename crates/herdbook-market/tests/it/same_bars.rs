//! The same bars, however a file writes them.

use std::io::Write as _;

use chrono::{DateTime, TimeZone as _};
use flate2::Compression;
use flate2::write::GzEncoder;
use herdbook_market::{Bar, MarketError, RawBars, ReadOptions, read_bars, read_bars_as};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::data;

const NAMES: [&str; 6] = ["time", "open", "high", "low", "close", "volume"];
const HOUR_MS: i64 = 3_600_000;

fn fields(bar: &Bar) -> [String; 6] {
    let Bar { open_time_ms, open, high, low, close, volume } = bar;
    [open_time_ms.to_string()]
        .into_iter()
        .chain([open, high, low, close, volume].map(|number| format!("{number:?}")))
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

/// CSV with the columns in some order.
fn csv(bars: &[Bar], order: &[usize], delimiter: char) -> String {
    let line = |fields: &[&str]| {
        let fields: Vec<&str> = order.iter().map(|column| fields[*column]).collect();
        fields.join(&delimiter.to_string())
    };
    let rows = bars.iter().map(|bar| line(&fields(bar).each_ref().map(String::as_str)));
    [line(&NAMES)].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}

fn read(bytes: &[u8]) -> RawBars {
    read_bars(bytes, "a.csv").unwrap()
}

const IN_ORDER: [usize; 6] = [0, 1, 2, 3, 4, 5];

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn prop_order_of_columns_and_delimiter_do_not_matter(
        bars in data::walk(30),
        order in Just(IN_ORDER.to_vec()).prop_shuffle(),
        delimiter in prop::sample::select(vec![',', ';', '\t']),
    ) {
        let found = read(csv(&bars, &order, delimiter).as_bytes());
        prop_assert_eq!(found.as_slice(), &bars[..]);
    }

    #[test]
    fn prop_file_with_the_newest_bar_first_is_reversed_and_says_so(bars in data::walk(30)) {
        let reversed: Vec<Bar> = bars.iter().rev().copied().collect();
        let found = read(csv(&reversed, &IN_ORDER, ',').as_bytes());
        prop_assert_eq!(found.as_slice(), &bars[..]);
        prop_assert!(found.remarks().iter().any(|it| it.contains("reversed")), "{:?}", found.remarks());
    }

    #[test]
    fn prop_repeated_rows_are_dropped_and_counted(
        bars in data::walk(30), repeats in prop::collection::vec(0..3_usize, 30),
    ) {
        let repeated: Vec<Bar> =
            bars.iter().zip(&repeats).flat_map(|(bar, n)| vec![*bar; n + 1]).collect();
        let found = read(csv(&repeated, &IN_ORDER, ',').as_bytes());
        prop_assert_eq!(found.as_slice(), &bars[..]);
        prop_assert_eq!(found.n_repeated_rows(), repeats.iter().sum::<usize>());
    }

    #[test]
    fn prop_json_objects_json_lists_and_gzip_hold_the_same_bars(bars in data::walk(30)) {
        let values = |bar: &Bar| {
            [json!(bar.open_time_ms)].into_iter().chain(
                [bar.open, bar.high, bar.low, bar.close, bar.volume].map(Value::from),
            )
        };
        let objects: Vec<Value> = bars
            .iter()
            .map(|bar| NAMES.map(str::to_owned).into_iter().zip(values(bar)).collect::<Map<_, _>>())
            .map(Value::Object)
            .collect();
        let found = read(Value::Array(objects).to_string().as_bytes());
        prop_assert_eq!(found.as_slice(), &bars[..]);

        let lists: Vec<Value> = bars.iter().map(|bar| values(bar).collect()).collect();
        let lists = Value::Array(lists).to_string();
        let options = ReadOptions { columns: Some(NAMES.join(",")), ..ReadOptions::default() };
        let found = read_bars_as(lists.as_bytes(), "a.json", &options).unwrap();
        prop_assert_eq!(found.as_slice(), &bars[..]);

        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(csv(&bars, &IN_ORDER, ',').as_bytes()).unwrap();
        let found = read(&gzip.finish().unwrap());
        prop_assert_eq!(found.as_slice(), &bars[..]);
    }

    #[test]
    fn prop_epoch_numbers_of_every_unit_are_the_same_times(bars in data::walk(20)) {
        for scale in [1_000, 1_000_000] {
            let scaled: Vec<Bar> =
                bars.iter().map(|bar| Bar { open_time_ms: bar.open_time_ms * scale, ..*bar }).collect();
            let found = read(csv(&scaled, &IN_ORDER, ',').as_bytes());
            prop_assert_eq!(found.as_slice(), &bars[..]);
        }
    }

    /// Hourly bars of any days of 2024, with both changes of clocks among them, written as local times.
    #[test]
    fn prop_local_times_are_read_back_or_refused_where_they_are_ambiguous(
        first_hour in 0..8_700_i64,
        n_hours in 5..200_i64,
        zone in prop::sample::select(vec![
            ("Europe/Athens", "Europe/Athens", 0),
            ("America/New_York+07:00", "America/New_York", 7),
            ("Asia/Kolkata", "Asia/Kolkata", 0),
        ]),
        newest_first in any::<bool>(),
    ) {
        let (name, place, hours_ahead) = zone;
        let place: chrono_tz::Tz = place.parse().unwrap();
        let first_ms = 1_704_067_200_000 + first_hour * HOUR_MS;
        let mut times: Vec<i64> = (0..n_hours).map(|hour| first_ms + hour * HOUR_MS).collect();
        let expected = times.clone();
        if newest_first {
            times.reverse();
        }
        let mut csv = String::from("time,open,high,low,close\n");
        for (idx, at_ms) in times.iter().enumerate() {
            let utc = DateTime::from_timestamp_millis(*at_ms).unwrap().naive_utc();
            let local = place.from_utc_datetime(&utc).naive_local() + chrono::TimeDelta::hours(hours_ahead);
            // Prices that differ, so that no row repeats another.
            let price = idx + 1;
            csv += &format!("{},{price},{price},{price},{price}\n", local.format("%Y-%m-%d %H:%M"));
        }
        let options = ReadOptions { zone: Some(name.parse().unwrap()), ..ReadOptions::default() };
        match read_bars_as(csv.as_bytes(), "a.csv", &options) {
            Ok(found) => {
                let found: Vec<i64> = found.as_slice().iter().map(|bar| bar.open_time_ms).collect();
                prop_assert_eq!(found, expected);
            }
            // Only a file that begins or ends within the hour that occurs twice.
            Err(MarketError::LocalTimeTwice { .. }) => {
                let is_changing = |at_ms: i64| {
                    let offset = |at_ms| {
                        let utc = DateTime::from_timestamp_millis(at_ms).unwrap().naive_utc();
                        place.from_utc_datetime(&utc).naive_local() - utc
                    };
                    offset(at_ms + HOUR_MS) != offset(at_ms - 2 * HOUR_MS)
                };
                let (first, last) = (expected[0], expected[expected.len() - 1]);
                prop_assert!(is_changing(first) || is_changing(last), "{} {}", first, last);
            }
            Err(error) => prop_assert!(false, "{}", error),
        }
    }
}
