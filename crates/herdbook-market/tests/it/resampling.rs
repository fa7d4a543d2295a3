//! Resampling against grouping bars by hand.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use herdbook_domain::Timeframe;
use herdbook_market::{Bar, RawBars, read_bars, resample};
use proptest::prelude::*;

const MINUTE_MS: i64 = 60_000;
const STEP_MS: i64 = 15 * MINUTE_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// 2017-01-02T00:00:00Z.
const MIDNIGHT_MS: i64 = 1_483_315_200_000;

/// Bars of 15 minutes: runs of some bars with a gap after each, in steps.
fn bars() -> impl Strategy<Value = Vec<Bar>> {
    // Breaks within a session, nights, and weekends.
    let gap = prop_oneof![2_i64..16, 17_i64..70, 190_i64..200];
    let run = (8..110_usize, gap);
    (0..96_i64, prop::collection::vec(run, 1..8), prop::collection::vec((1..90_u32, 0..9_u32), 880))
        .prop_map(|(first, runs, values)| {
            let mut at_ms = MIDNIGHT_MS + first * STEP_MS;
            let mut bars = Vec::new();
            for (n_bars, gap) in runs {
                for _ in 0..n_bars {
                    let (price, volume) = values[bars.len()];
                    bars.push(bar(at_ms, f64::from(price), f64::from(volume)));
                    at_ms += STEP_MS;
                }
                at_ms += (gap - 1) * STEP_MS;
            }
            bars
        })
}

fn bar(open_time_ms: i64, price: f64, volume: f64) -> Bar {
    let (open, close) = (price, price + 0.5);
    Bar { open_time_ms, open, high: close + 1.0, low: open / 2.0, close, volume }
}

fn raw(bars: &[Bar]) -> RawBars {
    let mut csv = String::from("time,open,high,low,close,volume\n");
    for bar in bars {
        let Bar { open_time_ms, open, high, low, close, volume } = bar;
        writeln!(csv, "{open_time_ms},{open},{high},{low},{close},{volume}").unwrap();
    }
    read_bars(csv.as_bytes(), "a.csv").unwrap()
}

/// Bars with their labels, merged by label. Labels must not go back.
fn merged(labelled: impl IntoIterator<Item = (i64, Bar)>) -> Vec<Bar> {
    let mut groups: BTreeMap<i64, Vec<Bar>> = BTreeMap::new();
    for (label, bar) in labelled {
        groups.entry(label).or_default().push(bar);
    }
    let merge = |(open_time_ms, group): (i64, Vec<Bar>)| Bar {
        open_time_ms,
        open: group[0].open,
        high: group.iter().map(|bar| bar.high).fold(f64::MIN, f64::max),
        low: group.iter().map(|bar| bar.low).fold(f64::MAX, f64::min),
        close: group[group.len() - 1].close,
        volume: group.iter().map(|bar| bar.volume).sum(),
    };
    groups.into_iter().map(merge).collect()
}

/// The sessions: runs of bars in which each opens less than four hours after the end of the one before.
fn sessions(bars: &[Bar]) -> Vec<Vec<Bar>> {
    let mut sessions: Vec<Vec<Bar>> = Vec::new();
    for bar in bars {
        match sessions.last_mut() {
            Some(session)
                if bar.open_time_ms - (session[session.len() - 1].open_time_ms + STEP_MS)
                    < 4 * HOUR_MS =>
            {
                session.push(*bar);
            }
            _ => sessions.push(vec![*bar]),
        }
    }
    sessions
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn prop_bars_of_one_utc_bin_become_one_bar(bars in bars()) {
        for timeframe in [Timeframe::Minute30, Timeframe::Hour1, Timeframe::Hour4] {
            let bin = |bar: &Bar| bar.open_time_ms - bar.open_time_ms.rem_euclid(timeframe.millis());
            let expected = merged(bars.iter().map(|bar| (bin(bar), *bar)));
            let found = resample(raw(&bars), timeframe).unwrap();
            prop_assert_eq!(found.as_slice(), &expected[..]);
            prop_assert_eq!(found.timeframe(), timeframe);
        }
    }

    #[test]
    fn prop_days_are_sessions_where_all_are_short_and_utc_days_otherwise(bars in bars()) {
        let sessions = sessions(&bars);
        let date = |bar: &Bar| bar.open_time_ms - bar.open_time_ms.rem_euclid(DAY_MS);
        let length = |session: &Vec<Bar>| {
            session[session.len() - 1].open_time_ms + STEP_MS - session[0].open_time_ms
        };
        let expected = if sessions.iter().all(|session| length(session) < DAY_MS) {
            merged(sessions.iter().flat_map(|session| {
                let opened_on = date(&session[0]);
                session.iter().map(move |bar| (opened_on, *bar))
            }))
        } else {
            merged(bars.iter().map(|bar| (date(bar), *bar)))
        };
        let found = resample(raw(&bars), Timeframe::Day1).unwrap();
        prop_assert_eq!(found.as_slice(), &expected[..]);
    }

    #[test]
    fn prop_resampling_in_two_steps_is_resampling_in_one(bars in bars()) {
        let once = resample(raw(&bars), Timeframe::Hour4).unwrap();
        let half = resample(raw(&bars), Timeframe::Minute30).unwrap();
        let half = raw(half.as_slice());
        prop_assume!(half.bar_length_ms() == Timeframe::Minute30.millis());
        let twice = resample(half, Timeframe::Hour4).unwrap();
        prop_assert_eq!(once.as_slice(), twice.as_slice());
    }
}

#[test]
fn session_that_lasts_exactly_a_day_makes_days_utc_days() {
    let run = |n_bars: i64| -> Vec<Bar> {
        (0..n_bars).map(|idx| bar(MIDNIGHT_MS + 22 * HOUR_MS + idx * STEP_MS, 1.0, 1.0)).collect()
    };
    let days = |n_bars| resample(raw(&run(n_bars)), Timeframe::Day1).unwrap().len();
    assert_eq!((days(95), days(96)), (1, 2));
}

#[test]
fn gap_of_exactly_four_hours_ends_a_session() {
    // Bars up to 23:00, and again from three or four hours later on.
    let with_gap = |gap_ms: i64| {
        let end_ms = MIDNIGHT_MS + 23 * HOUR_MS;
        let times = (-8..0)
            .map(|idx| end_ms + idx * STEP_MS)
            .chain((0..8).map(|idx| end_ms + gap_ms + idx * STEP_MS));
        let bars: Vec<Bar> = times.map(|at_ms| bar(at_ms, 1.0, 1.0)).collect();
        resample(raw(&bars), Timeframe::Day1).unwrap().len()
    };
    assert_eq!((with_gap(4 * HOUR_MS - STEP_MS), with_gap(4 * HOUR_MS)), (1, 2));
}
