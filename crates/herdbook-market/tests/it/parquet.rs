//! Parquet as pandas, pyarrow, polars, duckdb and fastparquet write it (`data/make_parquet.py`), and what is no Parquet.

use herdbook_market::{Bar, MarketError, RawBars, ReadOptions, read_bars_as};

use crate::data::{FIRST_MS, three_bars};

const DAY_MS: i64 = 86_400_000;

macro_rules! files {
    ($($name:ident),* $(,)?) => {
        [$((stringify!($name), include_bytes!(concat!("../data/", stringify!($name), ".parquet")).as_slice())),*]
    };
}

/// The same three bars each.
const ALIKE: [(&str, &[u8]); 19] = files![
    pandas_index_without_name,
    pandas_named_index_naive,
    pandas_row_numbers_beside_the_time,
    yfinance_two_level_columns,
    fastparquet,
    arrow_ms_utc,
    arrow_us_utc,
    arrow_ns_utc,
    arrow_int96,
    arrow_epoch_seconds,
    arrow_epoch_seconds_float,
    arrow_epoch_nanoseconds,
    arrow_all_text,
    arrow_decimals_of_9_digits,
    arrow_decimals_of_18_digits,
    arrow_decimals_of_38_digits,
    arrow_dictionaries_and_lists,
    arrow_every_row_its_group_pages_v2,
    polars,
];

const OTHERS: [(&str, &[u8]); 9] = files![
    duckdb,
    days,
    single_precision_halves,
    null_in_row_2,
    null_time_in_row_3,
    prices_are_truths,
    brotli,
    two_instruments,
    no_bars,
];

fn read(bytes: &[u8], reading: &ReadOptions) -> Result<RawBars, MarketError> {
    read_bars_as(bytes, "a.parquet", reading)
}

fn of(name: &str) -> Result<RawBars, String> {
    let file = ALIKE.iter().chain(&OTHERS).find(|(found, _)| *found == name);
    read(file.unwrap().1, &ReadOptions::default()).map_err(|error| error.to_string())
}

#[test]
fn every_writer_and_type_gives_the_same_bars() {
    for (name, bytes) in ALIKE {
        let raw =
            read(bytes, &ReadOptions::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(raw.as_slice(), three_bars(), "{name}");
        assert_eq!(raw.columns().len(), 6, "{name}: {:?}", raw.columns());
    }
    assert_eq!(of("duckdb").unwrap().as_slice(), three_bars());
}

#[test]
fn days_are_midnights_and_single_precision_is_read_as_it_is() {
    let days = of("days").unwrap();
    let times: Vec<i64> = days.as_slice().iter().map(|bar| bar.open_time_ms / DAY_MS).collect();
    assert_eq!(times, [17_168, 17_169, 17_170]);
    let halves = of("single_precision_halves").unwrap();
    assert!(halves.as_slice().iter().all(|bar: &Bar| (bar.close * 4.0).fract() == 0.0));
}

#[test]
fn zone_asked_for_moves_naive_times_only() {
    let reading = ReadOptions { zone: Some("+02:00".parse().unwrap()), ..ReadOptions::default() };
    let first = |name: &str| {
        let file = ALIKE.iter().find(|(found, _)| *found == name).unwrap().1;
        read(file, &reading).unwrap().as_slice()[0].open_time_ms
    };
    for naive in ["pandas_named_index_naive", "polars", "arrow_int96"] {
        assert_eq!(first(naive), FIRST_MS - 2 * 3_600_000, "{naive}");
    }
    for known in
        ["arrow_ms_utc", "arrow_epoch_seconds", "arrow_all_text", "pandas_index_without_name"]
    {
        assert_eq!(first(known), FIRST_MS, "{known}");
    }
}

#[test]
fn what_is_missing_or_of_another_type_is_refused_with_its_place() {
    for (name, expected) in [
        (
            "null_in_row_2",
            "`a.parquet` row 2, column `close`: `null` is not a finite number: correct it or remove the row",
        ),
        ("null_time_in_row_3", "`a.parquet` row 3, column `timestamp`: `null` is not a time"),
        (
            "prices_are_truths",
            "`a.parquet` column `low` is of type BOOLEAN: give numbers, or write the file as CSV",
        ),
        (
            "two_instruments",
            "`a.parquet` row 3, column `symbol`: `B` where the rows above have `A`",
        ),
        (
            "no_bars",
            "`a.parquet` begins with `a`, which names no column for time, open, high, low, close",
        ),
    ] {
        let error = of(name).unwrap_err();
        assert!(error.starts_with(expected), "{name}: {error}");
    }
    assert!(of("brotli").is_ok());
}

#[test]
fn columns_without_usual_names_are_named_by_the_user_in_their_order() {
    let polars = ALIKE[18].1;
    let reading =
        |columns: &str| ReadOptions { columns: Some(columns.to_owned()), ..ReadOptions::default() };
    let raw = read(polars, &reading("time,open,high,low,close,x")).unwrap();
    assert!(raw.as_slice().iter().all(|bar| bar.volume == 0.0));
    let error = read(polars, &reading("time,open")).unwrap_err().to_string();
    assert!(
        error.starts_with("`--columns` names 2 columns, and the rows of `a.parquet` have 6"),
        "{error}"
    );
    let raw = read(polars, &reading("volume=close")).unwrap_err().to_string();
    assert!(raw.contains("names no column for close"), "{raw}");
}

#[test]
fn cut_and_altered_files_are_errors_and_nothing_worse() {
    for (name, bytes) in ALIKE.iter().chain(&OTHERS) {
        for length in (4..bytes.len()).step_by(13) {
            assert!(
                read(&bytes[..length], &ReadOptions::default()).is_err(),
                "{name} cut to {length}"
            );
        }
        for idx in (0..bytes.len()).step_by(7) {
            for flip in [0x01, 0xff] {
                let mut altered = bytes.to_vec();
                altered[idx] ^= flip;
                let _ = read(&altered, &ReadOptions::default());
            }
        }
    }
}
