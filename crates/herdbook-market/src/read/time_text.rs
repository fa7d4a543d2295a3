//! The formats in which files write times.

use std::fmt;

use chrono::NaiveDate;

use crate::time::Utc;

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;

/// Epoch numbers from this on are milliseconds (from 1973-03-03); smaller ones are seconds (until the year 5138).
const FIRST_MILLISECOND: f64 = 1e11;
/// Smaller epoch numbers are refused (before 1973-03-03): `20170102` is a date without hyphens.
const FIRST_SECOND: f64 = 1e8;
/// Epoch numbers from this on are microseconds (from 1973-03-03).
const FIRST_MICROSECOND: f64 = 1e14;
/// Epoch numbers from this on are nanoseconds (from 1973-03-03).
const FIRST_NANOSECOND: f64 = 1e17;
/// Numbers from this on are refused (after the year 5138).
const BEYOND: f64 = 1e20;

/// Times further from 1970 than this are refused (after the year 5138).
const BEYOND_MS: i64 = 100_000_000_000_000;

/// A time as a file has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileTime {
    /// Milliseconds since 1970 in UTC; without a known zone, the local time as if it were UTC.
    pub(super) ms: i64,
    /// Whether the zone is known, so that `ms` is UTC.
    pub(super) has_zone: bool,
}

impl FileTime {
    /// Refuses times far from the present, so that lengths of time can be added without overflow.
    pub(super) fn checked(self) -> Result<Self, TimeProblem> {
        let is_near = (-BEYOND_MS..=BEYOND_MS).contains(&self.ms);
        if is_near { Ok(self) } else { Err(TimeProblem::Unknown) }
    }
}

impl fmt::Display for FileTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Utc(self.ms).to_string();
        f.write_str(if self.has_zone { &text } else { text.trim_end_matches('Z') })
    }
}

/// The format in which a file writes its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeStyle {
    Text,
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

/// Why a text is refused as a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeProblem {
    Ambiguous,
    Unknown,
    Mixed(TimeStyle),
}

impl TimeStyle {
    /// Name for messages.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "a date",
            Self::Seconds => "epoch seconds",
            Self::Milliseconds => "epoch milliseconds",
            Self::Microseconds => "epoch microseconds",
            Self::Nanoseconds => "epoch nanoseconds",
        }
    }

    /// The style of a text, and its number if it is an epoch number.
    fn of(text: &str) -> Result<(Self, f64), TimeProblem> {
        // `20170102` is a date, not an epoch number.
        if !is_number(text) || parse_compact_date(text).is_some() {
            return Ok((Self::Text, 0.0));
        }
        let number = text.parse().map_err(|_| TimeProblem::Unknown)?;
        Ok((Self::of_number(number)?, number))
    }

    fn of_number(number: f64) -> Result<Self, TimeProblem> {
        match number {
            _ if (FIRST_SECOND..FIRST_MILLISECOND).contains(&number) => Ok(Self::Seconds),
            _ if (FIRST_MILLISECOND..FIRST_MICROSECOND).contains(&number) => Ok(Self::Milliseconds),
            _ if (FIRST_MICROSECOND..FIRST_NANOSECOND).contains(&number) => Ok(Self::Microseconds),
            _ if (FIRST_NANOSECOND..BEYOND).contains(&number) => Ok(Self::Nanoseconds),
            _ => Err(TimeProblem::Unknown),
        }
    }

    /// Milliseconds in one unit of the epoch number.
    const fn unit_ms(self) -> f64 {
        match self {
            Self::Text => 0.0,
            Self::Seconds => 1_000.0,
            Self::Milliseconds => 1.0,
            Self::Microseconds => 1e-3,
            Self::Nanoseconds => 1e-6,
        }
    }

    /// Checks against the style of the file, which the first time sets.
    fn check_same(self, style: &mut Option<Self>) -> Result<(), TimeProblem> {
        let first = *style.get_or_insert(self);
        if self == first { Ok(()) } else { Err(TimeProblem::Mixed(first)) }
    }
}

/// Reads a time from one column. The first time of a file sets the `style` of all.
pub(super) fn parse(text: &str, style: &mut Option<TimeStyle>) -> Result<FileTime, TimeProblem> {
    let (found, number) = TimeStyle::of(text)?;
    found.check_same(style)?;
    if found == TimeStyle::Text {
        let ms = parse_text(text).ok_or_else(|| problem_of(text))?;
        return Ok(FileTime { ms, has_zone: has_zone(text) });
    }
    Ok(epoch(number, found))
}

/// Reads an epoch number. The first time of a file sets the `style` of all.
pub(super) fn parse_number(
    number: f64,
    style: &mut Option<TimeStyle>,
) -> Result<FileTime, TimeProblem> {
    let found = TimeStyle::of_number(number)?;
    found.check_same(style)?;
    Ok(epoch(number, found))
}

fn epoch(number: f64, style: TimeStyle) -> FileTime {
    FileTime { ms: (number * style.unit_ms()).round() as i64, has_zone: true }
}

/// Reads a time from a date column and a clock column.
pub(super) fn parse_parts(date: &str, clock: &str) -> Result<FileTime, TimeProblem> {
    let day = parse_date(date).or_else(|| parse_compact_date(date));
    let day = day.ok_or_else(|| problem_of(date))?;
    let within = parse_clock(clock).or_else(|| parse_compact_clock(clock));
    let ms = within.map(|within| day + within).ok_or(TimeProblem::Unknown)?;
    Ok(FileTime { ms, has_zone: clock_has_zone(clock) })
}

/// Whether a date with a clock names its zone.
fn has_zone(text: &str) -> bool {
    clock_has_zone(text.split_once(['T', 't', ' ']).map_or("", |(_, clock)| clock))
}

fn clock_has_zone(clock: &str) -> bool {
    clock.ends_with(['Z', 'z'])
        || clock.contains(['+', '-']) && !clock.contains("-AM") && !clock.contains("-PM")
        || clock.ends_with("UTC")
        || clock.ends_with("GMT")
}

/// `YYYYMMDD`.
fn parse_compact_date(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 8 || !(b"19".as_slice()..=b"20".as_slice()).contains(&&bytes[..2]) {
        return None;
    }
    days(digits(&bytes[..4])?, digits(&bytes[4..6])?, digits(&bytes[6..])?)
}

/// `HHMM` or `HHMMSS`.
fn parse_compact_clock(text: &str) -> Option<i64> {
    if ![4, 6].contains(&text.len()) {
        return None;
    }
    let (hour, rest) = text.split_at_checked(2)?;
    let (minute, second) = rest.split_at_checked(2)?;
    let second = if second.is_empty() { 0 } else { two_digits(second, 59)? };
    Some((two_digits(hour, 23)? * 60 + two_digits(minute, 59)?) * MINUTE_MS + second * 1_000)
}

fn parse_text(text: &str) -> Option<i64> {
    if let Some(day) = parse_compact_date(text) {
        return Some(day);
    }
    // `20170102 070000`, as HistData writes it.
    if let Some((date, clock)) = text.split_once(' ')
        && let Some(day) = parse_compact_date(date)
    {
        return Some(day + parse_compact_clock(clock)?);
    }
    let (date, rest) = text.split_at_checked(10)?;
    let day = parse_date(date)?;
    if rest.is_empty() {
        return Some(day);
    }
    let clock = rest.strip_prefix(['T', 't', ' '])?;
    Some(day + parse_clock(clock)?)
}

/// `YYYY-MM-DD`, also with `/` or `.`. With the year first, day and month are unambiguous.
fn parse_date(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let separator = *bytes.get(4)?;
    if bytes.len() != 10 || !b"-/.".contains(&separator) || bytes[7] != separator {
        return None;
    }
    days(digits(&bytes[..4])?, digits(&bytes[5..7])?, digits(&bytes[8..])?)
}

fn days(year: u32, month: u32, day: u32) -> Option<i64> {
    let date = NaiveDate::from_ymd_opt(year as i32, month, day)?;
    Some(i64::from(date.to_epoch_days()) * DAY_MS)
}

/// `HH:MM`, `HH:MM:SS` or `HH:MM:SS.fff`, with or without a zone: ms since midnight UTC, which a zone can make negative or
/// longer than a day.
fn parse_clock(text: &str) -> Option<i64> {
    if let Some(half) = ["AM", "PM"].into_iter().find(|half| text.ends_with(half)) {
        return parse_half_day(text.strip_suffix(half)?, half == "PM");
    }
    let is_clock = |c: char| c.is_ascii_digit() || c == ':' || c == '.';
    let end = text.find(|c| !is_clock(c)).unwrap_or(text.len());
    let (clock, zone) = text.split_at(end);
    let mut parts = clock.split(':');
    let hour = two_digits(parts.next()?, 23)?;
    let minute = two_digits(parts.next()?, 59)?;
    let second_ms = parts.next().map_or(Some(0), parse_seconds)?;
    if parts.next().is_some() {
        return None;
    }
    Some((hour * 60 + minute) * MINUTE_MS + second_ms - parse_zone(zone.trim_start())?)
}

/// `HH`, `HH:MM` or `HH:MM:SS` of a 12-hour clock, followed by spaces or hyphens. The hour 12 comes before 1.
fn parse_half_day(text: &str, is_afternoon: bool) -> Option<i64> {
    let text = text.trim_end_matches([' ', '-']);
    let (hour, rest) = text.split_once(':').unwrap_or((text, "00"));
    let padded = if hour.len() == 1 { format!("0{hour}") } else { hour.to_owned() };
    let hour = two_digits(&padded, 12).filter(|hour| *hour > 0)? % 12;
    let hour = if is_afternoon { hour + 12 } else { hour };
    parse_clock(&format!("{hour:02}:{rest}"))
}

/// `SS` or `SS.fff` in ms; digits beyond milliseconds are cut off.
fn parse_seconds(text: &str) -> Option<i64> {
    let Some((whole, fraction)) = text.split_once('.') else {
        return Some(two_digits(text, 59)? * 1_000);
    };
    let fraction = fraction.as_bytes();
    let unit_ms = [100, 10, 1];
    if fraction.is_empty() || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let fraction_ms: i64 =
        fraction.iter().zip(unit_ms).map(|(digit, unit)| i64::from(digit - b'0') * unit).sum();
    Some(two_digits(whole, 59)? * 1_000 + fraction_ms)
}

/// Offset from UTC in ms, east positive: an empty text, `Z`, `UTC`, `GMT`, `+01`, `+0100` or `+01:00`.
fn parse_zone(text: &str) -> Option<i64> {
    if matches!(text, "" | "Z" | "z" | "UTC" | "GMT") {
        return Some(0);
    }
    let (sign, offset) = match text.strip_prefix('-') {
        Some(west) => (-1, west),
        None => (1, text.strip_prefix('+')?),
    };
    let (hour, minute) = match offset.len() {
        2 => (offset, "00"),
        _ => offset.split_at_checked(2)?,
    };
    let minute = minute.strip_prefix(':').unwrap_or(minute);
    Some(sign * (two_digits(hour, 23)? * 60 + two_digits(minute, 59)?) * MINUTE_MS)
}

fn two_digits(text: &str, max: u32) -> Option<i64> {
    let number = digits(text.as_bytes())?;
    (text.len() == 2 && number <= max).then_some(i64::from(number))
}

/// A number of one to nine decimal digits.
fn digits(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() || bytes.len() > 9 || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(bytes.iter().fold(0, |number, byte| number * 10 + u32::from(byte - b'0')))
}

fn is_number(text: &str) -> bool {
    let n_dots = text.bytes().filter(|byte| *byte == b'.').count();
    n_dots <= 1 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Why a date is refused: one that starts with one or two digits could have the day or the month first.
fn problem_of(text: &str) -> TimeProblem {
    let date = text.split([' ', 'T']).next().unwrap_or_default();
    let parts: Vec<&str> = date.split(['/', '.', '-']).collect();
    let is_number = |part: &&str| digits(part.as_bytes()).is_some();
    if parts.len() == 3 && parts[0].len() <= 2 && parts.iter().all(is_number) {
        return TimeProblem::Ambiguous;
    }
    TimeProblem::Unknown
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2017-01-02T07:00:00Z.
    const SEVEN: i64 = 1_483_340_400_000;

    fn one(text: &str) -> Result<i64, TimeProblem> {
        parse(text, &mut None).map(|moment| moment.ms)
    }

    fn parts(date: &str, clock: &str) -> Result<i64, TimeProblem> {
        parse_parts(date, clock).map(|moment| moment.ms)
    }

    #[test]
    fn iso_texts_are_read_with_and_without_a_zone() {
        for text in [
            "2017-01-02T07:00:00Z",
            "2017-01-02 07:00",
            "2017-01-02 07:00:00",
            "2017-01-02 07:00:00.000",
            "2017-01-02T07:00:00.000000000Z",
            "2017-01-02 07:00:00+00:00",
            "2017-01-02 07:00:00 UTC",
            "2017-01-02T08:00:00+01:00",
            "2017-01-02T08:00+0100",
            "2017-01-02T08:00+01",
            "2017-01-01T23:30:00-07:30",
            "2017/01/02 07:00",
            "2017.01.02 07:00",
            "20170102 070000",
        ] {
            assert_eq!(one(text), Ok(SEVEN), "{text}");
        }
        assert_eq!(one("2017-01-02"), Ok(SEVEN - 7 * 3_600_000));
        assert_eq!(one("2017-01-02 07:00:00.25"), Ok(SEVEN + 250));
        assert_eq!(one("1969-12-31T23:59:59Z"), Ok(-1_000));
        assert_eq!(parts("2017.01.02", "07:00"), Ok(SEVEN));
    }

    #[test]
    fn epoch_numbers_are_seconds_or_milliseconds_by_their_size() {
        assert_eq!(one("1483340400"), Ok(SEVEN));
        assert_eq!(one("1483340400.0"), Ok(SEVEN));
        assert_eq!(one("1483340400000"), Ok(SEVEN));
        assert_eq!(one("1483340400000000"), Ok(SEVEN));
        assert_eq!(one("1483340400000000000"), Ok(SEVEN));
        assert_eq!(one("20171302"), Err(TimeProblem::Unknown));
    }

    #[test]
    fn compact_dates_and_clocks_are_read_where_they_cannot_be_numbers() {
        assert_eq!(one("20170102"), Ok(SEVEN - 7 * 3_600_000));
        assert_eq!(parts("20170102", "070000"), Ok(SEVEN));
        assert_eq!(parts("20170102", "0700"), Ok(SEVEN));
        assert!(parse_parts("20170102", "2500").is_err());
    }

    #[test]
    fn twelve_hour_clocks_begin_with_twelve() {
        const HOUR: i64 = 3_600_000;
        for (text, hour) in [
            ("2017-01-02 12-AM", 0),
            ("2017-01-02 07-AM", 7),
            ("2017-01-02 07:00 AM", 7),
            ("2017-01-02 7:00:00 AM", 7),
            ("2017-01-02 12-PM", 12),
            ("2017-01-02 11:00:00 PM", 23),
        ] {
            assert_eq!(one(text), Ok(SEVEN + (hour - 7) * HOUR), "{text}");
        }
        for text in ["2017-01-02 13-PM", "2017-01-02 00-AM", "2017-01-02 AM"] {
            assert!(one(text).is_err(), "{text}");
        }
    }

    #[test]
    fn zone_of_a_text_is_seen() {
        let is_known = |text| parse(text, &mut None).unwrap().has_zone;
        for text in ["1483340400", "2017-01-02T07:00:00Z", "2017-01-02 07:00+01:00"] {
            assert!(is_known(text), "{text}");
        }
        for text in ["2017-01-02", "20170102", "2017-01-02 07:00", "2017-01-02 07-AM"] {
            assert!(!is_known(text), "{text}");
        }
    }

    #[test]
    fn the_first_time_sets_the_style_of_the_file() {
        let mut style = None;
        assert_eq!(parse("1483340400", &mut style).map(|it| it.ms), Ok(SEVEN));
        let mixed = Err(TimeProblem::Mixed(TimeStyle::Seconds));
        assert_eq!(parse("1483340400000", &mut style), mixed);
        assert_eq!(parse("2017-01-02", &mut style), mixed);
    }

    #[test]
    fn dates_with_the_day_or_month_first_are_ambiguous() {
        for text in ["01/02/2017", "1/2/17", "13.01.2017 22:00:00.000", "02-01-2017"] {
            assert_eq!(one(text), Err(TimeProblem::Ambiguous), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_unknown() {
        for text in [
            "",
            "yesterday",
            "2017-02-30",
            "2017-01-02T24:00",
            "2017-01-02T07:60",
            "2017-01-02T07",
            "2017-01-02T07:00:00X",
            "2017-01-02T07:00:00.",
            "2017-01-02T07:00:00.1.2",
            "2017-01-02T07:00:00+1",
            "2017-1-2",
            "2017-01/02",
            "２０１７-01-02",
            "1.2.3",
            "-5",
            ".",
        ] {
            assert!(one(text).is_err(), "{text}");
        }
    }
}
