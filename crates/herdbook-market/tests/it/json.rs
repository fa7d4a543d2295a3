//! JSON: freqtrade's lists of lists, and lists of objects.

use herdbook_market::{RawBars, ReadOptions, read_bars_as};

use crate::data::three_bars;

const FREQTRADE: &str = "[[1483340400000,1.05,1.06,1.04,1.055,10.0],[1483344000000,1.055,1.07,1.05,1.06,0],\
                         [1483347600000,1.06,1.061,1.02,1.03,7]]";

fn read(text: &str, columns: Option<&str>) -> Result<RawBars, String> {
    let reading = ReadOptions { columns: columns.map(str::to_owned), ..ReadOptions::default() };
    read_bars_as(text.as_bytes(), "a.json", &reading).map_err(|error| error.to_string())
}

#[test]
fn rows_without_names_are_named_by_the_user() {
    assert_eq!(read(FREQTRADE, None).unwrap().as_slice(), three_bars());
    let flat = "[[1483340400000,1,1,1,1],[1483344000000,1,1,1,1]]";
    let error = read(flat, None).unwrap_err();
    assert!(
        error.starts_with("`a.json` has rows of 5 values without names, and their contents"),
        "{error}"
    );
    let named = read(FREQTRADE, Some("date,open,high,low,close,volume")).unwrap();
    assert_eq!(named.as_slice(), three_bars());
    let error = read(FREQTRADE, Some("date,open,high,low,close")).unwrap_err();
    assert!(
        error.starts_with("`--columns` names 5 columns, and the rows of `a.json` have 6"),
        "{error}"
    );
    let broken = FREQTRADE.replace("1.061", "null");
    let error = read(&broken, Some("date,open,high,low,close,volume")).unwrap_err();
    assert!(
        error.starts_with("`a.json` row 3, column `high`: `null` is not a finite number"),
        "{error}"
    );
}

#[test]
fn objects_name_their_values_themselves() {
    let text = r#" [{"t": "2017-01-02T07:00:00Z", "volume": 10, "o": "1.05", "h": 1.06, "l": 1.04, "c": 1.055, "time": 1483340400},
        {"time": 1483344000, "volume": 0, "o": 1.055, "h": 1.07, "l": 1.05, "c": 1.06},
        {"time": 1483347600, "volume": 7, "o": 1.06, "h": 1.061, "l": 1.02, "c": 1.03}] "#;
    assert_eq!(read(text, None).unwrap().as_slice(), three_bars());
    let missing = text.replace("\"c\": 1.03", "\"d\": 1.03");
    let error = read(&missing, None).unwrap_err();
    assert!(
        error.starts_with("`a.json` row 3, column `c`: `null` is not a finite number"),
        "{error}"
    );
}

#[test]
fn what_is_no_list_of_bars_is_refused() {
    for (text, expected) in [
        ("{\"a\": 1}", "`a.json` cannot be read as JSON: it holds no list of bars"),
        (
            "[1, 2]",
            "`a.json` cannot be read as JSON: `1` is not a bar: it must be an object or a list",
        ),
        ("[]", "`a.json` is empty"),
        ("[[1483340400000,1,1,1,1]", "`a.json` cannot be read as JSON: EOF"),
        (
            "[{\"time\": 1483340400, \"o\": 1}]",
            "`a.json` begins with `o,time`, which names no column for high, low, close",
        ),
        ("[", "`a.json` cannot be read as JSON: EOF"),
    ] {
        let error = read(text, None).unwrap_err();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
    let cut = &FREQTRADE[..FREQTRADE.len() - 1];
    assert!(read(cut, Some("t,o,h,l,c,v")).is_err());
    let more = format!("{FREQTRADE} x");
    assert!(read(&more, Some("time,o,h,l,c,v")).unwrap_err().contains("trailing characters"));
}

#[test]
fn tables_of_other_kinds_are_named_with_the_way_out() {
    for (start, what) in [
        ("ARROW1\0\0", "an Arrow or Feather file"),
        ("FEA1", "a Feather file"),
        ("ORC", "an ORC file"),
    ] {
        let error = read(start, None).unwrap_err();
        assert!(
            error.starts_with(&format!(
                "`a.json` is {what}, which is not supported: give CSV or Parquet"
            )),
            "{error}"
        );
    }
}
