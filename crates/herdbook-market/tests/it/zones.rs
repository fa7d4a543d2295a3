//! Local times of zones whose clocks change in summer.

use std::fmt::Write as _;

use herdbook_market::{RawBars, ReadOptions, read_bars_as};

/// 2024-10-27T00:00Z; clocks in Europe go back an hour at 01:00Z, in Athens from 04:00 to 03:00.
const OCTOBER_MS: i64 = 1_729_987_200_000;
const MINUTE_MS: i64 = 60_000;

/// Flat bars at these local times of one day.
fn read_in(zone: &str, day: &str, clocks: &[&str]) -> Result<RawBars, String> {
    let mut text = "time,open,high,low,close\n".to_owned();
    for (idx, clock) in clocks.iter().enumerate() {
        writeln!(text, "{day} {clock},1,{},1,1", idx + 2).unwrap();
    }
    let reading = ReadOptions { zone: Some(zone.parse().unwrap()), ..ReadOptions::default() };
    read_bars_as(text.as_bytes(), "a.csv", &reading).map_err(|error| error.to_string())
}

fn october(clocks: &[&str]) -> Result<RawBars, String> {
    read_in("Europe/Athens", "2024-10-27", clocks)
}

fn minutes(raw: &RawBars) -> Vec<i64> {
    raw.as_slice().iter().map(|bar| (bar.open_time_ms - OCTOBER_MS) / MINUTE_MS).collect()
}

#[test]
fn hour_that_comes_twice_is_told_by_its_order() {
    let raw = october(&["02:00", "03:00", "03:00", "04:00", "05:00"]).unwrap();
    assert_eq!(minutes(&raw), [-60, 0, 60, 120, 180]);
    assert!(raw.remarks().iter().any(|remark| remark.contains("were resolved by their order")));
    let half = ["02:30", "03:00", "03:30", "03:00", "03:30", "04:00"];
    assert_eq!(minutes(&october(&half).unwrap()), [-30, 0, 30, 60, 90, 120]);
    let backwards: Vec<&str> = half.into_iter().rev().collect();
    assert_eq!(minutes(&october(&backwards).unwrap()), [-30, 0, 30, 60, 90, 120]);
    // A bar is missing on either side.
    assert_eq!(
        minutes(&october(&["02:00", "02:30", "03:30", "03:00", "04:00"]).unwrap()),
        [-60, -30, 30, 60, 120]
    );
}

#[test]
fn hour_that_comes_twice_and_stands_there_once_is_refused() {
    for clocks in
        [&["02:00", "03:00", "04:00"][..], &["02:00", "03:00"], &["03:00", "03:00", "04:00"]]
    {
        let error = october(clocks).unwrap_err();
        assert!(
            error.contains("occurred twice in Europe/Athens, where clocks were set back"),
            "{error}"
        );
    }
    let error = october(&["02:00", "03:00", "04:00"]).unwrap_err();
    assert!(error.starts_with("`a.csv` line 3, column `time`: `2024-10-27 03:00`"), "{error}");
    assert!(error.ends_with("export in UTC, or remove the rows of that hour"), "{error}");
    let third = october(&["02:30", "03:00", "03:00", "03:00", "04:00"]).unwrap_err();
    assert!(third.contains("line 5") && third.contains("there is already a row for"), "{third}");
}

#[test]
fn repeated_row_is_no_second_pass() {
    let text = "time,open,high,low,close\n2024-10-27 02:00,1,1,1,1\n2024-10-27 03:00,1,2,1,1\n\
                2024-10-27 03:00,1,2,1,1\n2024-10-27 04:00,1,1,1,1\n";
    let reading =
        ReadOptions { zone: Some("Europe/Athens".parse().unwrap()), ..ReadOptions::default() };
    let error = read_bars_as(text.as_bytes(), "a.csv", &reading).unwrap_err().to_string();
    assert!(error.contains("line 3") && error.contains("occurred twice"), "{error}");
}

#[test]
fn hour_that_never_was_is_refused_and_its_neighbours_are_not() {
    let march = |clocks: &[&str]| read_in("Europe/Athens", "2024-03-31", clocks);
    assert_eq!(march(&["02:00", "04:00", "05:00"]).unwrap().bar_length_ms(), 3_600_000);
    let error = march(&["02:00", "03:00", "04:00"]).unwrap_err();
    assert!(
        error.starts_with("`a.csv` line 3, column `time`: `2024-03-31 03:00` never occurred in"),
        "{error}"
    );
}

#[test]
fn metatrader_server_follows_new_york() {
    let text = |day: &str| {
        format!(
            "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\n\
             {day}\t00:00:00\t1\t1\t1\t1\t1\n{day}\t01:00:00\t1\t1\t1\t1\t1\n"
        )
    };
    let reading = ReadOptions {
        zone: Some("America/New_York+07:00".parse().unwrap()),
        ..ReadOptions::default()
    };
    // 22:00Z before New York's clocks change on 2024-03-10, 21:00Z after it; Athens changes three weeks later.
    for (day, utc) in [("2024.03.08", 1_709_848_800_000), ("2024.03.12", 1_710_190_800_000_i64)] {
        let raw = read_bars_as(text(day).as_bytes(), "a.csv", &reading).unwrap();
        assert_eq!(raw.as_slice()[0].open_time_ms, utc, "{day}");
    }
}
