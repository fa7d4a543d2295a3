//! The format of times that the user gives: a name, or a pattern of `strftime`.

use std::fmt;
use std::str::FromStr;

use chrono::format::{Item, Parsed, StrftimeItems, parse};
use serde::{Deserialize, Serialize};

use super::dates::DateOrder;
use super::file_time::{EpochUnit, FileTime};

/// Milliseconds from 1899-12-30, day 0 of Excel, to 1970-01-01.
const EXCEL_TO_EPOCH_MS: f64 = 25_569.0 * 86_400_000.0;

/// The named formats.
const NAMES: [(&str, Kind); 8] = [
    ("day-first", Kind::Order(DateOrder::DayFirst)),
    ("month-first", Kind::Order(DateOrder::MonthFirst)),
    ("year-first", Kind::Order(DateOrder::YearFirst)),
    ("excel", Kind::Excel),
    ("s", Kind::Epoch(EpochUnit::Seconds)),
    ("ms", Kind::Epoch(EpochUnit::Milliseconds)),
    ("us", Kind::Epoch(EpochUnit::Microseconds)),
    ("ns", Kind::Epoch(EpochUnit::Nanoseconds)),
];

/// The format of the times of a file: `day-first`, `month-first`, `year-first`, `excel` (serial days), `s`, `ms`, `us` or
/// `ns` (epoch numbers), or a pattern of `strftime` such as `%d/%m/%Y %H:%M`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeFormat(String);

#[derive(Debug, Clone, Copy)]
enum Kind {
    Order(DateOrder),
    Excel,
    Epoch(EpochUnit),
}

/// A format, ready to read times.
#[derive(Debug)]
pub(super) enum TimeReading {
    /// Dates are read as usual, in this order.
    Order(DateOrder),
    /// Days since 1899-12-30.
    Excel,
    /// Numbers since 1970 in this unit.
    Epoch(EpochUnit),
    Pattern(Vec<Item<'static>>),
}

impl TimeFormat {
    pub(super) fn reading(&self) -> TimeReading {
        match NAMES.iter().find(|(name, _)| *name == self.0) {
            Some((_, Kind::Order(order))) => TimeReading::Order(*order),
            Some((_, Kind::Excel)) => TimeReading::Excel,
            Some((_, Kind::Epoch(unit))) => TimeReading::Epoch(*unit),
            None => TimeReading::Pattern(items(&self.0).unwrap_or_default()),
        }
    }
}

impl FromStr for TimeFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = NAMES.iter().any(|(name, _)| *name == text);
        if !is_name {
            items(text)?;
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TimeFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for TimeFormat {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TimeFormat> for String {
    fn from(format: TimeFormat) -> Self {
        format.0
    }
}

/// The items of a pattern. Python's `.%f` is a fraction here too; `%Z` is refused, because names of zones are not unique.
fn items(pattern: &str) -> Result<Vec<Item<'static>>, String> {
    let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
    let wrong = |problem: &str| {
        format!(
            "`{pattern}` is not a format of times: {problem}; give a pattern such as `%d/%m/%Y %H:%M`, or one of {}",
            names.join(", ")
        )
    };
    if !pattern.contains('%') {
        return Err(wrong("it has no `%`"));
    }
    if pattern.contains("%Z") {
        return Err(wrong(
            "write the name of the zone itself for `%Z`, and give the zone with `--bar-timezone`",
        ));
    }
    let pattern = pattern.replace(".%f", "%.f");
    if pattern.contains("%f") {
        return Err(wrong("`%f` must follow a dot"));
    }
    let items = StrftimeItems::new(&pattern)
        .parse_to_owned()
        .map_err(|_| wrong("`strftime` does not know it"))?;
    Ok(items)
}

/// A time by a pattern; `None` if it does not fit. Without a clock it is midnight.
pub(super) fn by_pattern(text: &str, items: &[Item<'static>]) -> Option<FileTime> {
    let mut parsed = Parsed::new();
    parse(&mut parsed, text, items.iter()).ok()?;
    if let Some(seconds) = parsed.timestamp() {
        return Some(FileTime { ms: seconds.checked_mul(1_000)?, has_zone: true });
    }
    if parsed.hour_mod_12().is_none() && parsed.hour_div_12().is_none() {
        parsed.set_hour(0).ok()?;
    }
    if parsed.minute().is_none() {
        parsed.set_minute(0).ok()?;
    }
    let local = parsed.to_naive_date().ok()?.and_time(parsed.to_naive_time().ok()?);
    let ms = local.and_utc().timestamp_millis();
    Some(match parsed.offset() {
        Some(east_s) => FileTime { ms: ms - i64::from(east_s) * 1_000, has_zone: true },
        None => FileTime { ms, has_zone: false },
    })
}

/// A serial day of Excel in local ms since 1970.
pub(super) fn of_excel(days: f64) -> FileTime {
    // Days of Excel have rounding errors below a millisecond; its clock shows whole seconds.
    let seconds = ((days * 86_400_000.0 - EXCEL_TO_EPOCH_MS) / 1_000.0).round();
    FileTime { ms: seconds as i64 * 1_000, has_zone: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2017-01-02T07:00:00Z.
    const SEVEN: i64 = 1_483_340_400_000;

    fn read(pattern: &str, text: &str) -> Option<FileTime> {
        let format: TimeFormat = pattern.parse().unwrap();
        let TimeReading::Pattern(items) = format.reading() else { panic!("{pattern}") };
        by_pattern(text, &items)
    }

    #[test]
    fn patterns_of_strftime_are_read() {
        let local = Some(FileTime { ms: SEVEN, has_zone: false });
        let known = Some(FileTime { ms: SEVEN, has_zone: true });
        assert_eq!(read("%d/%m/%Y %H:%M", "02/01/2017 07:00"), local);
        assert_eq!(read("%H:%M:%S %d %b %y", "07:00:00 02 Jan 17"), local);
        assert_eq!(read("%Y%m%d %I%p", "20170102 07AM"), local);
        assert_eq!(read("%Y-%m-%dT%H:%M:%S.%f", "2017-01-02T07:00:00.000"), local);
        assert_eq!(read("%Y-%m-%d %H:%M %z", "2017-01-02 09:00 +0200"), known);
        assert_eq!(read("%s", "1483340400"), known);
        let midnight = SEVEN - 7 * 3_600_000;
        assert_eq!(read("%d.%m.%y", "02.01.17"), Some(FileTime { ms: midnight, has_zone: false }));
        assert_eq!(read("%d/%m/%Y", "13/13/2017"), None);
        assert_eq!(read("%d/%m/%Y", "02/01/2017 07:00"), None);
    }

    #[test]
    fn patterns_that_cannot_work_are_refused() {
        for pattern in ["", "iso", "%Q", "%d %Z", "%H:%M:%S%f"] {
            let error = pattern.parse::<TimeFormat>().unwrap_err();
            assert!(
                error.starts_with(&format!("`{pattern}` is not a format of times: ")),
                "{error}"
            );
        }
        for name in ["day-first", "excel", "ms"] {
            assert_eq!(name.parse::<TimeFormat>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn excel_counts_days_from_the_end_of_1899() {
        assert_eq!(of_excel(42_737.0 + 7.0 / 24.0), FileTime { ms: SEVEN, has_zone: false });
    }
}
