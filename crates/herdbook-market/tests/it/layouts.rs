//! The layouts of files as people have them: the same three bars, or the error with the flags that resolve it.

use std::io::Write as _;

use herdbook_market::{
    BadRows, BarStamp, DecimalMark, MarketError, RawBars, ReadOptions, read_bars_as, resample,
};

use crate::data::{FIRST_MS, three_bars};

const HOUR_MS: i64 = 3_600_000;

fn read_as(bytes: &[u8], options: &ReadOptions) -> Result<RawBars, MarketError> {
    read_bars_as(bytes, "a.csv", options)
}

fn read(text: &str) -> Result<RawBars, MarketError> {
    read_as(text.as_bytes(), &ReadOptions::default())
}

/// The error of a text, and the flags that it advises.
fn refused(text: &str) -> (String, Vec<String>) {
    let error = read(text).unwrap_err();
    (error.to_string(), error.flags_to_try())
}

fn has_remark(raw: &RawBars, part: &str) -> bool {
    raw.remarks().iter().any(|remark| remark.contains(part))
}

/// Rows of the three bars with their times written as given, below a header.
fn rows(header: &str, delimiter: &str, times: [&str; 3]) -> String {
    let mut text = format!("{header}\n");
    for (bar, time) in three_bars().iter().zip(times) {
        let values =
            [bar.open, bar.high, bar.low, bar.close, bar.volume].map(|value| value.to_string());
        text += &format!("{time}{delimiter}{}\n", values.join(delimiter));
    }
    text
}

const HEADER: &str = "time,open,high,low,close,volume";
const ISO: [&str; 3] = ["2017-01-02 07:00", "2017-01-02 08:00", "2017-01-02 09:00"];

#[test]
fn times_of_many_programs_are_the_same_moments() {
    for (header, times) in [
        (
            "Gmt time",
            ["02.01.2017 07:00:00.000", "02.01.2017 08:00:00.000", "02.01.2017 09:00:00.000"],
        ),
        (
            "Local time",
            [
                "02.01.2017 08:00:00.000 GMT+0100",
                "02.01.2017 09:00:00.000 GMT+0100",
                "02.01.2017 10:00:00.000 GMT+0100",
            ],
        ),
        ("date", ["20170102  07:00:00", "20170102  08:00:00", "20170102  09:00:00"]),
        ("date", ["20170102-07:00:00", "20170102-08:00:00", "20170102-09:00:00"]),
        (
            "date",
            [
                "20170102 02:00:00 US/Eastern",
                "20170102 03:00:00 US/Eastern",
                "20170102 04:00:00 US/Eastern",
            ],
        ),
        (
            "ts_event",
            [
                "2017-01-02T07:00:00.000000000Z",
                "2017-01-02T08:00:00.000000000Z",
                "2017-01-02T09:00:00.000000000Z",
            ],
        ),
        ("Date", ["2-Jan-17 7:00", "2-Jan-17 8:00", "2-Jan-17 9:00"]),
        (
            "Date",
            [
                "\"Jan 2, 2017 7:00:00 AM\"",
                "\"Jan 2, 2017 8:00:00 AM\"",
                "\"Jan 2, 2017 9:00:00 AM\"",
            ],
        ),
        (
            "Datetime",
            ["2017-01-02 02:00:00 EST", "2017-01-02 03:00:00 EST", "2017-01-02 04:00:00 EST"],
        ),
        ("", ISO),
        ("Unnamed: 0", ISO),
    ] {
        let text = rows(&format!("{header},Open,High,Low,Close,Volume"), ",", times);
        assert_eq!(read(&text).unwrap().as_slice(), three_bars(), "{text}");
    }
}

#[test]
fn delimiters_encodings_and_packings_make_no_difference() {
    for delimiter in [";", "\t", "|", ","] {
        let text = rows(&HEADER.replace(',', delimiter), delimiter, ISO);
        assert_eq!(read(&text).unwrap().as_slice(), three_bars(), "{text}");
    }
    let blanks = rows("time  open  high   low close volume", "  ", ISO);
    assert_eq!(read(&blanks).unwrap().as_slice(), three_bars());
    let text = rows(HEADER, ",", ISO);
    let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let raw = read_as(&[&[0xff, 0xfe], &utf_16[..]].concat(), &ReadOptions::default()).unwrap();
    assert_eq!(raw.as_slice(), three_bars());
    let mut packer = zstd::Encoder::new(Vec::new(), 1).unwrap();
    packer.write_all(text.as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    assert_eq!(read_as(&packed, &ReadOptions::default()).unwrap().as_slice(), three_bars());
    let latin = [
        b"Datum;Er\xf6ffnung;Hoch;Tief;Schlu\xdfkurs;Volumen\n",
        text.replace(',', ";").split_once('\n').unwrap().1.as_bytes(),
    ]
    .concat();
    assert_eq!(read_as(&latin, &ReadOptions::default()).unwrap().as_slice(), three_bars());
    for (start, program) in [(&b"BZh91"[..], "`bunzip2`"), (b"\xfd7zXZ\0", "`unxz`")] {
        let error = read_as(start, &ReadOptions::default()).unwrap_err().to_string();
        assert!(error.contains(program), "{error}");
    }
}

#[test]
fn rows_that_say_nothing_are_left_out() {
    let text = rows(HEADER, ",", ISO);
    for more in [",,,,,\n\n", "\n\n", "# end\n", "time,open,high,low,close,volume\n", "\x1a"] {
        assert_eq!(read(&format!("{text}{more}")).unwrap().as_slice(), three_bars(), "{more:?}");
    }
    let trailing = text.replace('\n', ",\n");
    assert_eq!(read(&trailing).unwrap().as_slice(), three_bars());
    let trailing = trailing.replacen(",\n", "\n", 1);
    assert_eq!(read(&trailing).unwrap().as_slice(), three_bars());
    // Row names of R.
    let named: String = text
        .lines()
        .enumerate()
        .map(|(idx, line)| if idx > 0 { format!("{idx},{line}\n") } else { format!("{line}\n") })
        .collect();
    assert_eq!(read(&named).unwrap().as_slice(), three_bars());
}

#[test]
fn decimal_comma_is_settled_by_any_number_with_one_reading() {
    let german = rows("Date;Open;High;Low;Close;Volume", ";", ISO).replace('.', ",");
    assert_eq!(read(&german).unwrap().as_slice(), three_bars());
    let open = "time;open;high;low;close\n2017-01-02;1,234;1,235;1,233;1,234\n2017-01-03;1,234;1,235;1,233;1,234\n";
    let (message, flags) = refused(open);
    assert!(message.contains("the comma of `1,234` can be a decimal comma"), "{message}");
    assert_eq!(flags, ["--decimal ,", "--decimal ."]);
    for (decimal, expected) in [(DecimalMark::Comma, 1.234), (DecimalMark::Dot, 1234.0)] {
        let options = ReadOptions { decimal: Some(decimal), ..ReadOptions::default() };
        assert_eq!(read_as(open.as_bytes(), &options).unwrap().as_slice()[0].open, expected);
    }
    let dollars = "Date,Close/Last,Volume,Open,High,Low\n01/13/2017,\"$1,234.50\",\"1,000\",$1.5,\"$2,000.00\",$1\n01/12/2017,$2,1.5M,$2,$2,$2\n";
    let raw = read(dollars).unwrap();
    assert_eq!(
        (raw.as_slice()[1].close, raw.as_slice()[1].volume, raw.as_slice()[0].volume),
        (1234.5, 1000.0, 1.5e6)
    );
}

#[test]
fn order_of_day_and_month_is_settled_by_any_date_with_one_reading() {
    let file = |dates: &[&str]| {
        let rows = dates
            .iter()
            .enumerate()
            .map(|(idx, date)| format!("{date},{p},{p},{p},{p}\n", p = idx + 1));
        format!("date,open,high,low,close\n{}", rows.collect::<String>())
    };
    let days = |text: &str| read(text).map(|raw| raw.as_slice()[0].open_time_ms / 86_400_000);
    // 2017-01-11 is day 17,177.
    assert_eq!(days(&file(&["11/01/2017", "12/01/2017", "13/01/2017"])), Ok(17_177));
    assert_eq!(days(&file(&["01/11/2017", "01/12/2017", "01/13/2017"])), Ok(17_177));
    // The order of the rows shows it, too: the months would go back.
    assert_eq!(days(&file(&["11/01/2017", "12/01/2017", "01/02/2017"])), Ok(17_177));
    assert_eq!(days(&file(&["17-01-11", "17-01-30", "17-02-01"])), Ok(17_177));
    let (message, flags) = refused(&file(&["01/02/2017", "01/03/2017"]));
    assert!(message.contains("no other date shows which"), "{message}");
    assert_eq!(flags, ["--time-format day-first", "--time-format month-first"]);
    let (message, _) = refused(&file(&["13/01/2017", "01/14/2017", "15/01/2017"]));
    assert!(
        message.contains("line 3") && message.contains("order of the other dates"),
        "{message}"
    );
}

#[test]
fn times_in_other_forms_take_a_format() {
    let with = |format: &str| ReadOptions {
        time_format: Some(format.parse().unwrap()),
        ..ReadOptions::default()
    };
    for (times, format) in [
        (["07:00 02|01|2017", "08:00 02|01|2017", "09:00 02|01|2017"], "%H:%M %d|%m|%Y"),
        (["42737.2916666667", "42737.3333333333", "42737.375"], "excel"),
        (["1483340400000000", "1483344000000000", "1483347600000000"], "us"),
    ] {
        let text = rows(HEADER, ",", times);
        assert_eq!(
            read_as(text.as_bytes(), &with(format)).unwrap().as_slice(),
            three_bars(),
            "{format}"
        );
    }
    let serial = rows(HEADER, ",", ["42737.29", "42737.33", "42737.375"]);
    assert_eq!(refused(&serial).1, ["--time-format excel"]);
    let misfit = rows(HEADER, ",", ISO);
    let error = read_as(misfit.as_bytes(), &with("%d/%m/%Y")).unwrap_err().to_string();
    assert!(error.contains("does not fit the format"), "{error}");
}

#[test]
fn given_columns_replace_a_header_by_place_or_by_name() {
    let text = rows("a,b,c,d,e,f", ",", ISO);
    let (_, flags) = refused(&text);
    assert_eq!(flags, ["--columns time,open,high,low,close,volume"]);
    let with =
        |columns: &str| ReadOptions { columns: Some(columns.to_owned()), ..ReadOptions::default() };
    for columns in
        ["time,open,high,low,close,volume", "time=a,open=b,high=c,low=d,close=e,volume=f"]
    {
        assert_eq!(
            read_as(text.as_bytes(), &with(columns)).unwrap().as_slice(),
            three_bars(),
            "{columns}"
        );
    }
    let known = rows(HEADER, ",", ISO);
    assert_eq!(read_as(known.as_bytes(), &with("t,o,h,l,c,v")).unwrap().as_slice(), three_bars());
    let few = read_as(known.as_bytes(), &with("t,o,h,l,c")).unwrap_err();
    assert!(
        few.to_string().starts_with("`--columns` names 5 columns, and the rows of `a.csv` have 6"),
        "{few}"
    );
    let unknown = read_as(known.as_bytes(), &with("close=last")).unwrap_err();
    assert!(unknown.to_string().contains("has no column `last`"), "{unknown}");
}

#[test]
fn bars_stamped_at_their_close_are_recognised_or_asked_for() {
    let later = ["2017-01-02 08:00", "2017-01-02 09:00", "2017-01-02 10:00"];
    let named = rows("close_time,open,high,low,close,volume", ",", later);
    assert_eq!(read(&named).unwrap().as_slice(), three_bars());
    let last_moment =
        ["2017-01-02T07:59:59.999Z", "2017-01-02T08:59:59.999Z", "2017-01-02T09:59:59.999Z"];
    let raw = read(&rows(HEADER, ",", last_moment)).unwrap();
    assert_eq!(raw.as_slice(), three_bars());
    assert!(has_remark(&raw, "stamped at their last moment"));
    let options = ReadOptions { stamped: Some(BarStamp::Close), ..ReadOptions::default() };
    assert_eq!(
        read_as(rows(HEADER, ",", later).as_bytes(), &options).unwrap().as_slice(),
        three_bars()
    );
    // Minutes from 09:31 to 16:00 on ten days, as NinjaTrader writes them.
    let minute = |day: i64| {
        (571..=960).map(move |minute| {
            format!("{},1,1,1,1,1\n", 1_483_315_200 + 60 * (day * 1_440 + minute))
        })
    };
    let text = format!("{HEADER}\n{}", (0..10).flat_map(minute).collect::<String>());
    let (message, flags) = refused(&text);
    assert!(message.contains("sessions begin a bar late"), "{message}");
    assert_eq!(flags, ["--bars-stamped close", "--bars-stamped open"]);
}

#[test]
fn all_faults_are_told_at_once_and_bad_rows_can_be_left_out() {
    let mut text = rows(HEADER, ",", ISO);
    for hour in 10..24 {
        text += &format!("2017-01-02 {hour}:00,null,null,null,null,null\n");
    }
    text += "2017-01-03 00:00,1,0.5,1,1,1\n2017-01-03 01:00,x,1,1,1,1\nsource: nobody\n";
    let (message, flags) = refused(&text);
    assert!(
        message.starts_with(
            "`a.csv` has 17 rows with faults (14 without prices, 1 with a high or low on the wrong side of another \
             price, 1 with a value that is not a number, 1 with too few or too many fields):\n  line 5 has no prices\n"
        ),
        "{message}"
    );
    assert!(message.contains("\n  and 7 more\n"), "{message}");
    assert_eq!(flags, ["--skip-bad-rows"]);
    let options = ReadOptions { bad_rows: BadRows::Skip, ..ReadOptions::default() };
    let raw = read_as(text.as_bytes(), &options).unwrap();
    assert_eq!((raw.as_slice(), raw.n_bad_rows()), (&three_bars()[..], 17));
    assert!(has_remark(&raw, "bad rows left out: 17 (14 without prices"));
    // Rows with one time are not left out: nothing shows which of them is right.
    let twice = rows(HEADER, ",", ["2017-01-02 09:00", "2017-01-02 10:00", "2017-01-02 09:00"]);
    let error = read_as(twice.as_bytes(), &options).unwrap_err();
    assert!(matches!(error, MarketError::ConflictingTimes { n: 1, .. }), "{error}");
}

#[test]
fn header_that_names_the_columns_wrongly_is_no_matter_of_bad_rows() {
    let row = |day: u32| format!("2017-01-{day:02},2,1,3,4\n");
    let text = format!("date,open,high,low,close\n{}", (10..20).map(row).collect::<String>());
    let (message, flags) = refused(&text);
    assert!(message.ends_with("name all of them in their order with `--columns`"), "{message}");
    assert!(flags.is_empty());
    let skipping = ReadOptions { bad_rows: BadRows::Skip, ..ReadOptions::default() };
    assert!(matches!(read_as(text.as_bytes(), &skipping), Err(MarketError::BadRows { .. })));
    let columns = Some("date,low,open,high,close".to_owned());
    let named = ReadOptions { columns, ..ReadOptions::default() };
    let named = read_as(text.replace(",2,1,3,4", ",1,2,4,3").as_bytes(), &named).unwrap();
    assert_eq!(named.as_slice().len(), 10);
}

#[test]
fn rounding_and_missing_volumes_are_no_faults() {
    let text = "date,open,high,low,close,volume\n2017-01-02,1,1.1000000000000003,1,1.1000000000000005,nan\n2017-01-03,1,1,1,1,\n";
    let raw = read(text).unwrap();
    assert_eq!((raw.as_slice()[0].high, raw.as_slice()[0].volume), (1.100_000_000_000_000_5, 0.0));
    assert!(
        has_remark(&raw, "rounding: in 1 bars")
            && has_remark(&raw, "the volume is missing in 2 rows")
    );
}

#[test]
fn local_times_across_a_clock_change_name_the_flag() {
    let text = "Datetime,open,high,low,close\n2024-11-03 00:00,1,1,1,1\n2024-11-03 01:00,2,2,2,2\n2024-11-03 01:00,3,3,3,3\n2024-11-03 02:00,4,4,4,4\n";
    let (message, flags) = refused(text);
    assert!(message.contains("clocks are set back in America/New_York"), "{message}");
    assert_eq!(flags[0], "--bar-timezone America/New_York");
    let zone = Some("America/New_York".parse().unwrap());
    let raw = read_as(text.as_bytes(), &ReadOptions { zone, ..ReadOptions::default() }).unwrap();
    assert_eq!(raw.as_slice().len(), 4);
}

#[test]
fn sessions_from_half_past_are_merged_into_days_and_four_hours() {
    let bar = |day: i64| {
        (0..7).map(move |hour| {
            format!(
                "{},1,1,1,1,1\n",
                (FIRST_MS + 30 * 60_000 + day * 24 * HOUR_MS + hour * HOUR_MS) / 1_000
            )
        })
    };
    let text = format!("{HEADER}\n{}", (0..3).flat_map(bar).collect::<String>());
    for (timeframe, expected) in
        [(herdbook_domain::Timeframe::Day1, 3), (herdbook_domain::Timeframe::Hour4, 6)]
    {
        assert_eq!(resample(read(&text).unwrap(), timeframe).unwrap().len(), expected);
    }
}

#[test]
fn json_comes_in_lines_and_documents() {
    let bar = |hour: i64, o: &str, h: &str, l: &str, c: &str, v: i64| {
        format!(
            "{{\"t\":{},\"o\":{o},\"h\":{h},\"l\":{l},\"c\":{c},\"v\":{v}}}",
            FIRST_MS + hour * HOUR_MS
        )
    };
    let bars = [
        bar(0, "1.05", "1.06", "1.04", "1.055", 10),
        bar(1, "1.055", "1.07", "1.05", "1.06", 0),
        bar(2, "1.06", "1.061", "1.02", "1.03", 7),
    ];
    for text in [
        bars.join("\n"),
        format!("[{}]", bars.join(",")),
        format!("{{\"status\":\"OK\",\"results\":[{}]}}", bars.join(",")),
        "{\"t\":[1483340400,1483344000,1483347600],\"o\":[1.05,1.055,1.06],\"h\":[1.06,1.07,1.061],\"l\":[1.04,1.05,1.02],\"c\":[1.055,1.06,1.03],\"v\":[10,0,7],\"s\":\"ok\"}".to_owned(),
        "{\"Meta Data\":{\"1. Information\":\"x\"},\"Time Series (60min)\":{\"2017-01-02 07:00:00\":{\"1. open\":\"1.05\",\"2. high\":\"1.06\",\"3. low\":\"1.04\",\"4. close\":\"1.055\",\"5. volume\":\"10\"},\
         \"2017-01-02 08:00:00\":{\"1. open\":\"1.055\",\"2. high\":\"1.07\",\"3. low\":\"1.05\",\"4. close\":\"1.06\",\"5. volume\":\"0\"},\
         \"2017-01-02 09:00:00\":{\"1. open\":\"1.06\",\"2. high\":\"1.061\",\"3. low\":\"1.02\",\"4. close\":\"1.03\",\"5. volume\":\"7\"}}}".to_owned(),
        "{\"columns\":[\"open\",\"high\",\"low\",\"close\",\"volume\"],\"index\":[1483340400000,1483344000000,1483347600000],\"data\":[[1.05,1.06,1.04,1.055,10],[1.055,1.07,1.05,1.06,0],[1.06,1.061,1.02,1.03,7]]}".to_owned(),
    ] {
        assert_eq!(read(&text).map(|raw| raw.as_slice().to_vec()), Ok(three_bars()), "{text}");
    }
}

/// Hourly bars of two days with other values in each row, as lines with their times.
fn two_days() -> Vec<String> {
    let line = |hour: u32| {
        let (day, price) = (2 + hour / 24, 100 + hour);
        let (high, low) = (price + 2, price - 1);
        format!("2017-01-{day:02} {:02}:00,{price},{high},{low},{price},7\n", hour % 24)
    };
    (0..48).map(line).collect()
}

fn file_of(lines: &[String]) -> String {
    format!("{HEADER}\n{}", lines.concat())
}

#[test]
fn rows_out_of_order_are_sorted_and_counted() {
    let sorted = two_days();
    let bars = read(&file_of(&sorted)).unwrap();
    let mut swapped = sorted.clone();
    swapped.swap(10, 11);
    swapped.swap(30, 31);
    let mut first_two = sorted.clone();
    first_two.swap(0, 1);
    // The second day before the first one, as two downloads that were joined, and an overlap of both.
    let mut joined = sorted[24..].to_vec();
    joined.extend_from_slice(&sorted[..30]);
    let mut backwards: Vec<String> = sorted.iter().rev().cloned().collect();
    backwards.swap(5, 6);
    for (lines, told) in [
        (&swapped, "2 rows were before the row above, first in line 13: `2017-01-02 10:00`"),
        (&first_two, "1 row was before the row above, first in line 3: `2017-01-02 00:00`"),
        (&joined, "1 row was before the row above, first in line 26: `2017-01-02 00:00`"),
        (&backwards, "1 row was after the row above, first in line 8: `2017-01-03 18:00`"),
    ] {
        let raw = read(&file_of(lines)).unwrap();
        assert_eq!(raw.as_slice(), bars.as_slice(), "{told}");
        assert!(has_remark(&raw, "the rows were sorted by time: "), "{:?}", raw.remarks());
        assert!(has_remark(&raw, told), "{:?}", raw.remarks());
    }
    assert_eq!(read(&file_of(&joined)).unwrap().n_repeated_rows(), 6);
    assert!(!has_remark(&bars, "sorted"), "{:?}", bars.remarks());
    let reversed: Vec<String> = sorted.iter().rev().cloned().collect();
    let raw = read(&file_of(&reversed)).unwrap();
    assert!(has_remark(&raw, "newest first: the rows were reversed"));
    assert_eq!(raw.as_slice(), bars.as_slice());
}

#[test]
fn sorting_does_not_hide_rows_that_contradict_each_other() {
    let mut lines = two_days();
    lines.push(lines[3].replace(",7\n", ",8\n"));
    lines.push(lines[5].replace(",7\n", ",8\n"));
    assert_eq!(
        refused(&file_of(&lines)),
        (
            "`a.csv` has rows with the same time and other values, at 2 times, the first at 2017-01-02T03:00:00Z: \
             keep one row for each time"
                .to_owned(),
            Vec::new()
        )
    );
}

#[test]
fn clock_of_twelve_hours_without_am_and_pm_is_refused() {
    let clock = ["09:30", "10:30", "11:30", "12:30", "01:30", "02:30", "03:30"];
    let mut lines: Vec<String> = Vec::new();
    for day in 3..6 {
        for (idx, time) in clock.iter().enumerate() {
            lines.push(format!("2017-01-{day:02} {time},2,3,1,2,{idx}\n"));
        }
    }
    for lines in [lines.clone(), lines.into_iter().rev().collect()] {
        let error = read(&file_of(&lines)).unwrap_err();
        assert!(matches!(error, MarketError::HalfDayClock { .. }), "{error}");
    }
}

#[test]
fn dates_of_a_file_out_of_order_are_not_settled_by_the_order() {
    // Sorted in no reading of its dates: any of them could be meant.
    let row = |date: &str, price: u32| format!("{date},{price},{},1,{price},7\n", price + 1);
    let dates = ["03/02/2017", "04/02/2017", "02/02/2017", "01/03/2017", "02/03/2017"];
    let lines: Vec<String> = dates.iter().zip(10..).map(|(date, n)| row(date, n)).collect();
    let (message, flags) = refused(&file_of(&lines));
    assert!(message.contains("day"), "{message}");
    assert_eq!(flags, ["--time-format day-first", "--time-format month-first"]);
    let time_format = Some("day-first".parse().unwrap());
    let options = ReadOptions { time_format, ..ReadOptions::default() };
    let raw = read_as(file_of(&lines).as_bytes(), &options).unwrap();
    assert_eq!(raw.as_slice()[0].open, 12.0);
    // One date that has only one reading settles it, also below rows out of order.
    let mut settled = lines.clone();
    settled.push(row("13/03/2017", 20));
    let raw = read(&file_of(&settled)).unwrap();
    assert_eq!(raw.as_slice()[0].open, 12.0);
}

#[test]
fn columns_with_one_name_are_chosen_by_their_number() {
    let text = "time,open,high,low,close,close,volume,Volume\n\
                2017-01-02 07:00,2,3,1,2,2.5,7,8\n2017-01-02 08:00,2,3,1,2,2.25,7,8\n";
    let (message, flags) = refused(text);
    assert_eq!(
        message,
        "`a.csv` has two columns for close, `close` and `close`: choose one by its name or number with \
         `--columns close=NAME`, or rename or remove one"
    );
    assert_eq!(flags, ["--columns close=5", "--columns close=6"]);
    let with = |columns: &str| {
        let columns = Some(columns.to_owned());
        read_as(text.as_bytes(), &ReadOptions { columns, ..ReadOptions::default() })
    };
    let error = with("close=6").unwrap_err();
    assert_eq!(error.flags_to_try(), ["--columns volume=7", "--columns volume=8"]);
    let raw = with("close=6,volume=8").unwrap();
    assert_eq!((raw.as_slice()[0].close, raw.as_slice()[0].volume), (2.5, 8.0));
    for none in ["close=0", "close=9", "close=-1"] {
        assert!(matches!(with(none), Err(MarketError::NoSuchColumn { .. })), "{none}");
    }
}
