//! From the bytes of a file to bars, and every way this is refused.

use herdbook_domain::Timeframe;
use herdbook_market::{Bar, RawBars, read_bars, resample};

const HEADER: &str = "timestamp,open,high,low,close,volume\n";

fn read(rows: &str) -> Result<RawBars, String> {
    read_bars(format!("{HEADER}{rows}").as_bytes(), "a.csv").map_err(|error| error.to_string())
}

fn refusal(bytes: &[u8]) -> String {
    read_bars(bytes, "a.csv").unwrap_err().to_string()
}

const FIRST: &str = "2017-01-02T07:00:00Z,1.5,2,1,1.75,10\n";

#[test]
fn files_that_say_the_same_read_the_same() {
    let expected = read_bars(
        b"timestamp,open,high,low,close,volume\n\
          2017-01-02T07:00:00Z,1.5,2,1,1.75,10\n\
          2017-01-02T08:00:00Z,1.75,3,1.5,2.5,0\n",
        "a.csv",
    )
    .unwrap();
    let same: [&str; 6] = [
        "\u{feff}time;o;h;l;c;v\r\n2017-01-02 07:00;1.5;2;1;1.75;10\r\n\
         2017-01-02 08:00;1.75;3;1.5;2.5;0\r\n",
        "V\tClose\tx\tLow\tHigh\tOpen\tDATE\n10\t1.75\ta\t1\t2\t1.5\t2017-01-02 07:00:00+00:00\n\
         0\t2.5\tb\t1.5\t3\t1.75\t2017-01-02 10:00:00+02:00\n",
        "\"Date\",\"Time\",\"Open\",\"High\",\"Low\",\"Close\",\"Volume\"\n\
         \"2017-01-02\",\"07:00\",\"1.5\",\"2\",\"1\",\"1.75\",\"10\"\n\
         2017-01-02,08:00,1.75,3,1.5,2.5,0",
        "unix,open,high,low,close,volume\n1483340400,1.5,2,1,1.75,10\n1483344000,1.75,3,1.5,2.5,0",
        "Open time,open,high,low,close,volume\n1483340400000,1.5,2,1,1.75,1e1\n\n\
         1483344000000, 1.75 ,3,1.5,2.5,-0\n\n",
        "timestamp,open,high,low,close,volume\n2017-01-02T07:00:00Z,1.5,2,1,1.75,10\n\
         2017-01-02T07:00:00.000Z,1.50,2,1,1.75,10\n2017-01-02T08:00:00Z,1.75,3,1.5,2.5,0\n",
    ];
    for text in same {
        let raw = read_bars(text.as_bytes(), "b.csv").unwrap();
        assert_eq!(raw.as_slice(), expected.as_slice(), "{text}");
        assert_eq!(raw.bar_length_ms(), 3_600_000);
    }
}

#[test]
fn missing_volume_is_zero() {
    let text = b"time,open,high,low,close\n2017-01-02,1,1,1,1\n2017-01-03,1,1,1,1\n";
    let raw = read_bars(text, "a.csv").unwrap();
    assert!(raw.as_slice().iter().all(|bar| bar.volume == 0.0));
    assert_eq!(raw.columns().len(), 5);
}

#[test]
fn identical_repeated_rows_are_dropped_and_counted() {
    let second = "2017-01-02T08:00:00Z,1.5,2,1,1.75,10\n";
    let raw = read(&format!("{FIRST}{FIRST}{FIRST}{second}")).unwrap();
    assert_eq!((raw.as_slice().len(), raw.n_repeated_rows()), (2, 2));
}

#[test]
fn bad_values_are_refused_with_their_place() {
    for (row, expected) in [
        ("08:00:00Z,x,2,1,1.75,10", "column `open`: `x` is not a finite number"),
        ("08:00:00Z,1.5,NaN,1,1.75,10", "column `high`: `NaN` is not a finite number"),
        ("08:00:00Z,1.5,2,-inf,1.75,10", "column `low`: `-inf` is not a finite number"),
        ("08:00:00Z,1.5,2,1,,10", "column `close`: `` is not a finite number"),
        ("08:00:00Z,1.5,2,1,\"1,75\",10", "column `close`: `1,75` is not a finite number"),
        ("08:00:00Z,1.5,2,0,1.75,10", "column `low`: price `0` is not above zero"),
        ("08:00:00Z,-1.5,2,1,1.75,10", "column `open`: price `-1.5` is not above zero"),
        ("08:00:00Z,1.5,2,1,1.75,-10", "column `volume`: volume `-10` is below zero"),
        ("08:00:00Z,1.5,0.5,1,1.75,1", "column `high`: high `0.5` is below the bar's low"),
        ("08:00:00Z,1.5,1.6,1,1.75,1", "column `high`: high `1.6` is below the bar's close"),
        ("08:00:00Z,1.5,2,1.6,1.75,1", "column `low`: low `1.6` is above the bar's open"),
        ("08:00:00,x", "has 2 columns where the header has 6: complete or remove the row"),
        ("25:00:00Z,1.5,2,1,1.75,1", "column `timestamp`: `2017-01-02T25:00:00Z` is not a time"),
        (
            "07:00:00Z,1.5,2,1,1.75,11",
            "column `timestamp`: there is already a row for `2017-01-02T07:00:00Z`, with other values",
        ),
    ] {
        let error = read(&format!("{FIRST}2017-01-02T{row}\n")).unwrap_err();
        assert!(error.starts_with("`a.csv` line 3"), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn line_numbers_count_blank_lines_and_both_line_ends() {
    for end in ["\n", "\r\n"] {
        let text = format!("{HEADER}\n{FIRST}\n\n2017-01-02T08:00:00Z,0,2,1,1.75,1\n");
        let error = refusal(text.replace('\n', end).as_bytes());
        assert!(error.starts_with("`a.csv` line 6, column `open`"), "{error}");
    }
}

#[test]
fn times_that_can_be_misread_are_refused() {
    let error = read("01/02/2017 07:00,1,1,1,1,1\n").unwrap_err();
    assert_eq!(
        error,
        "`a.csv` line 2, column `timestamp`: `01/02/2017 07:00` can be read with the day or the \
         month first, and no other date shows which: give `--time-format day-first` or \
         `--time-format month-first`, or write dates as YYYY-MM-DD"
    );
    let error = read("1483340400,1,1,1,1,1\n1483344000000,1,1,1,1,1\n").unwrap_err();
    assert_eq!(
        error,
        "`a.csv` line 3, column `timestamp`: `1483344000000` is not in the format of the first time, \
         epoch seconds: use one format"
    );
}

#[test]
fn files_without_bars_are_refused() {
    for empty in ["", "\n\n", "\u{feff}"] {
        assert!(refusal(empty.as_bytes()).starts_with("`a.csv` is empty:"), "{empty:?}");
    }
    assert!(refusal(HEADER.as_bytes()).starts_with("`a.csv` has a header but no bars"));
    assert!(read(FIRST).unwrap_err().starts_with("`a.csv` has only one bar, so the length"));
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3];
    assert!(refusal(&gzip).starts_with("`a.csv` cannot be unpacked"));
    assert!(refusal(b"time,open\n\0").starts_with("`a.csv` line 2 is not text"));
    assert!(refusal(b"a,b\n1,\x02").starts_with("`a.csv` line 2 is not text"));
}

/// Rows of one price at the given minutes after 2017-01-02T00:00Z.
fn at_minutes(minutes: impl IntoIterator<Item = i64>) -> RawBars {
    let row = |minute: i64| format!("{},1,1,1,1,1\n", 1_483_315_200 + 60 * minute);
    read(&minutes.into_iter().map(row).collect::<String>()).unwrap()
}

fn times(raw: RawBars, timeframe: Timeframe) -> Vec<i64> {
    let minute = |bar: &Bar| (bar.open_time_ms - 1_483_315_200_000) / 60_000;
    resample(raw, timeframe).unwrap().as_slice().iter().map(minute).collect()
}

#[test]
fn bar_length_is_the_most_frequent_step() {
    assert_eq!(at_minutes([0, 30, 60, 600, 630, 2_000]).bar_length_ms(), 30 * 60_000);
    // A tie goes to the shorter step.
    assert_eq!(at_minutes([0, 60, 1_440]).bar_length_ms(), 60 * 60_000);
    // A clock change makes one short step among many.
    let changed = (0..200).map(|idx| idx * 1_440 - if idx > 90 { 60 } else { 0 });
    assert_eq!(at_minutes(changed).bar_length_ms(), 1_440 * 60_000);
}

#[test]
fn bars_of_no_one_length_are_refused() {
    let minute = |minute: i64| format!("{},1,1,1,1,1\n", 1_483_315_200 + 60 * minute);
    let rows: String = [0, 5, 10, 11, 15, 20].map(minute).concat();
    assert_eq!(
        read(&rows).unwrap_err(),
        "`a.csv` has no single bar length: most bars are 5 min apart, but 2 are closer together \
         (first at 2017-01-02T00:11:00Z): give bars of one length"
    );
}

#[test]
fn merged_bars_have_first_highest_lowest_last_and_sum() {
    let rows = "1483340400,5,7,4,6,1\n1483340460,6,9,5,8,2\n1483340520,8,8,2,3,4\n\
                1483341000,3,4,3,4,8\n";
    let bars = resample(read(rows).unwrap(), Timeframe::Minute5).unwrap();
    let [first, second] = bars.as_slice() else { panic!("{bars:?}") };
    let expected = Bar {
        open_time_ms: 1_483_340_400_000,
        open: 5.0,
        high: 9.0,
        low: 2.0,
        close: 3.0,
        volume: 7.0,
    };
    assert_eq!(*first, expected);
    // The empty five minutes between stay empty.
    assert_eq!(second.open_time_ms - first.open_time_ms, 600_000);
}

#[test]
fn bars_of_the_asked_length_keep_their_times() {
    assert_eq!(times(at_minutes([30, 90, 150, 1_500]), Timeframe::Hour1), [30, 90, 150, 1_500]);
}

#[test]
fn bars_that_cannot_be_merged_are_refused_with_both_lengths() {
    let refusal =
        |timeframe| resample(at_minutes([0, 90, 180]), timeframe).unwrap_err().to_string();
    assert_eq!(
        refusal(Timeframe::Hour1),
        "`a.csv` has bars of 90 min, longer than the requested 1 h: give finer bars or ask for a \
         longer timeframe"
    );
    assert_eq!(
        refusal(Timeframe::Hour4),
        "`a.csv` has bars of 90 min, which do not fill 4 h evenly: give bars whose length divides \
         it"
    );
}

#[test]
fn session_across_midnight_is_one_day_of_the_date_it_opens() {
    // 23:00 to 05:00, each day but the third.
    let session = |day: i64| (0..6).map(move |hour| day * 1_440 + 23 * 60 + hour * 60);
    let raw = at_minutes([0, 1, 3].into_iter().flat_map(session));
    assert_eq!(times(raw, Timeframe::Day1), [0, 1_440, 3 * 1_440]);
}

#[test]
fn two_sessions_that_open_on_one_date_are_one_day() {
    // 02:00 to 04:00 and 08:00 to 11:00, the break is four hours.
    let session = |day: i64| [2, 3, 8, 9, 10].map(move |hour| day * 1_440 + hour * 60);
    let raw = at_minutes((0..4).flat_map(session));
    assert_eq!(times(raw, Timeframe::Day1), [0, 1_440, 2_880, 4_320]);
}

#[test]
fn trading_around_the_clock_has_utc_days() {
    // From 22:00 for 30 hours, then a weekend, then three hours more.
    let hours = (22..52).chain(100..103).map(|hour| hour * 60);
    assert_eq!(times(at_minutes(hours), Timeframe::Day1), [0, 1_440, 2_880, 4 * 1_440]);
}

/// Rows of flat bars that open at these hours of 2017.
fn hours(hours: impl IntoIterator<Item = i64>) -> String {
    let first_s = 1_483_228_800;
    let rows = hours.into_iter().map(|hour| format!("{},1,1,1,1,0\n", first_s + hour * 3_600));
    rows.collect::<Vec<_>>().concat()
}

#[test]
fn stretch_of_coarser_bars_is_refused_and_nights_are_not() {
    let mixed = hours((0..500).chain((500..2_000).step_by(4)));
    assert_eq!(
        read(&mixed).unwrap_err(),
        "`a.csv` mixes bars of 1 h with bars of 4 h (from 2017-01-22T00:00:00Z): give bars of one length"
    );
    // Six hours a day, then night.
    assert!(read(&hours((0..3_000).filter(|hour| hour % 24 < 6))).is_ok());
}

#[test]
fn single_shorter_step_is_refused_unless_clocks_changed() {
    let with_half_hour = "1483228800,1,1,1,1,0\n1483232400,1,1,1,1,0\n1483234200,1,1,1,1,0\n\
                          1483236000,1,1,1,1,0\n1483239600,1,1,1,1,0\n1483243200,1,1,1,1,0\n";
    assert!(read(with_half_hour).unwrap_err().contains("has no single bar length"));
    let clocks_changed = hours([0, 24, 48, 71, 95, 119]);
    assert_eq!(read(&clocks_changed).unwrap().bar_length_ms(), 86_400_000);
}

#[test]
fn rows_of_a_second_instrument_are_refused() {
    let csv = b"timestamp,symbol,open,high,low,close\n\
                2017-01-02T07:00:00Z,EURUSD,1,1,1,1\n2017-01-02T08:00:00Z,GBPUSD,1,1,1,1\n";
    assert_eq!(
        refusal(csv),
        "`a.csv` line 3, column `symbol`: `GBPUSD` where the rows above have `EURUSD`: \
         give the bars of one instrument"
    );
}

#[test]
fn bars_off_the_boundaries_cannot_be_merged() {
    // Half past each hour.
    let rows = hours(0..9);
    let rows: Vec<String> = rows
        .lines()
        .map(|row| row.split_once(',').unwrap())
        .map(|(time, rest)| format!("{},{rest}\n", time.parse::<i64>().unwrap() + 1_800))
        .collect();
    let rows = rows.concat();
    assert!(resample(read(&rows).unwrap(), Timeframe::Hour1).is_ok());
    // Trading around the clock has no session from whose start bins could be counted.
    let row = |hour: i64| format!("{},1,1,1,1,0\n", 1_483_230_600 + hour * 3_600);
    let around_the_clock = (0..30).map(row).collect::<Vec<_>>().concat();
    let refusal =
        resample(read(&around_the_clock).unwrap(), Timeframe::Hour4).unwrap_err().to_string();
    assert!(refusal.contains("do not start on UTC boundaries"), "{refusal}");
}

#[test]
fn sessions_from_half_past_are_merged_from_their_start() {
    // Seven bars a day from 14:30 UTC, as of stocks in New York.
    let session = |day: i64| (0..7).map(move |hour| day * 1_440 + 870 + hour * 60);
    let raw = || at_minutes((0..3).flat_map(session));
    assert_eq!(times(raw(), Timeframe::Hour4), [870, 1_110, 2_310, 2_550, 3_750, 3_990]);
    assert_eq!(times(raw(), Timeframe::Day1), [0, 1_440, 2_880]);
}
