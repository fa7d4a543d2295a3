//! The formats in which files write times.

use super::clock::{self, ClockText, ZoneText};
use super::dates::{self, DateOrder, DateText};
use super::file_time::{EpochUnit, FileTime};
use super::options::ReadOptions;
use super::time_format::{self, TimeFormat, TimeReading};
use super::zone::Zone;

/// The format in which a file writes its times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeStyle {
    /// The year comes first.
    YearFirst,
    /// Three numbers in another order.
    Numbers,
    /// The month has its name.
    MonthName,
    Epoch(EpochUnit),
    /// As the user's format says.
    Given,
}

/// Why a text is refused as a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeProblem {
    Ambiguous,
    Unknown,
    Mixed(TimeStyle),
    /// The date exists only in another order than this one, which other dates of the file have.
    OtherOrder(DateOrder),
    /// It does not fit the format that the user gave.
    NotAsGiven,
}

impl TimeStyle {
    /// Name for messages.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::YearFirst => "a date with the year first",
            Self::Numbers => "a date of three numbers with the year last",
            Self::MonthName => "a date with the name of its month",
            Self::Epoch(EpochUnit::Seconds) => "epoch seconds",
            Self::Epoch(EpochUnit::Milliseconds) => "epoch milliseconds",
            Self::Epoch(EpochUnit::Microseconds) => "epoch microseconds",
            Self::Epoch(EpochUnit::Nanoseconds) => "epoch nanoseconds",
            Self::Given => "the given format",
        }
    }
}

/// Reads the times of a file. The first time sets the style of all.
#[derive(Debug, Default)]
pub(super) struct TimeReader {
    pub(super) style: Option<TimeStyle>,
    /// The order of dates of three numbers, where it is known.
    order: Option<DateOrder>,
    given: Option<TimeReading>,
    /// The zone that the last time named by its place. Its `ms` are local to it.
    place: Option<Zone>,
}

impl TimeReader {
    /// A reader for the format that the user gave, or else for any; `order` is what the dates of the file show.
    pub(super) fn new(options: &ReadOptions, order: Option<DateOrder>) -> Self {
        match options.time_format.as_ref().map(TimeFormat::reading) {
            Some(TimeReading::Order(order)) => Self { order: Some(order), ..Self::default() },
            given => Self { order, given, ..Self::default() },
        }
    }

    /// A reader that knows the order of dates of three numbers.
    pub(super) fn in_order(order: DateOrder) -> Self {
        Self { order: Some(order), ..Self::default() }
    }

    /// The place that the last time named as its zone.
    pub(super) const fn place(&self) -> Option<Zone> {
        self.place
    }

    /// Reads a time from one column.
    pub(super) fn text(&mut self, text: &str) -> Result<FileTime, TimeProblem> {
        if self.given.is_some() {
            return self.as_given(text);
        }
        // `20170102` is a date, not an epoch number.
        if is_number(text) && dates::parse_compact(text).is_none() {
            return self.number(text.parse().map_err(|_| TimeProblem::Unknown)?);
        }
        if let Some((day, clock)) = parse_year_first(text) {
            return self.dated(TimeStyle::YearFirst, day, clock);
        }
        let (date, clock) = split_date(text);
        let midnight = ClockText { ms: 0, zone: ZoneText::None };
        let clock = if clock.is_empty() { Some(midnight) } else { clock::parse(clock) };
        let (style, day) = self.day(date)?;
        self.dated(style, day, clock.ok_or(TimeProblem::Unknown)?)
    }

    /// Reads an epoch number, or a date such as 20170102.
    pub(super) fn number(&mut self, number: f64) -> Result<FileTime, TimeProblem> {
        if self.given.is_some() {
            return self.as_given(&number.to_string());
        }
        self.place = None;
        if let Some(unit) = EpochUnit::of(number) {
            return self.of_style(TimeStyle::Epoch(unit), unit.time(number));
        }
        let day = dates::parse_compact(&number.to_string()).ok_or(TimeProblem::Unknown)?;
        self.of_style(TimeStyle::YearFirst, FileTime { ms: day, has_zone: false })
    }

    /// Reads a time from a date column and a clock column.
    pub(super) fn parts(&mut self, date: &str, clock: &str) -> Result<FileTime, TimeProblem> {
        if self.given.is_some() {
            return self.as_given(&format!("{date} {clock}"));
        }
        let compact =
            || clock::parse_compact(clock).map(|ms| ClockText { ms, zone: ZoneText::None });
        let found = clock::parse(clock).or_else(compact);
        // Some programs repeat the midnight in the column of the date.
        let date = date.strip_suffix(" 00:00:00").unwrap_or(date);
        let (style, day) = match dates::parse_iso(date).or_else(|| dates::parse_compact(date)) {
            Some(day) => (TimeStyle::YearFirst, day),
            None => self.day(date)?,
        };
        self.dated(style, day, found.ok_or(TimeProblem::Unknown)?)
    }

    fn as_given(&mut self, text: &str) -> Result<FileTime, TimeProblem> {
        self.style = Some(TimeStyle::Given);
        self.place = None;
        let number = || text.parse::<f64>().ok().filter(|number| number.is_finite());
        let time = match &self.given {
            Some(TimeReading::Pattern(items)) => time_format::by_pattern(text, items),
            Some(TimeReading::Epoch(unit)) => number().map(|number| unit.time(number)),
            Some(TimeReading::Excel) => number().map(time_format::of_excel),
            Some(TimeReading::Order(_)) | None => None,
        };
        time.ok_or(TimeProblem::NotAsGiven)?.checked().ok_or(TimeProblem::Unknown)
    }

    /// Midnight of a date that does not begin with a year of four digits.
    fn day(&self, date: &str) -> Result<(TimeStyle, i64), TimeProblem> {
        match dates::parse(date).ok_or(TimeProblem::Unknown)? {
            DateText::Known(day)
                if date.starts_with(|first: char| first.is_ascii_digit()) && !has_letter(date) =>
            {
                Ok((TimeStyle::YearFirst, day))
            }
            DateText::Known(day) => Ok((TimeStyle::MonthName, day)),
            DateText::Numbers(numbers) => {
                let order = self.order.ok_or(TimeProblem::Ambiguous)?;
                let day = numbers.in_order(order).ok_or(TimeProblem::OtherOrder(order))?;
                Ok((TimeStyle::Numbers, day))
            }
        }
    }

    fn dated(
        &mut self,
        style: TimeStyle,
        day: i64,
        clock: ClockText,
    ) -> Result<FileTime, TimeProblem> {
        let local_ms = day + clock.ms;
        self.place = None;
        let time = match clock.zone {
            ZoneText::None => FileTime { ms: local_ms, has_zone: false },
            ZoneText::East(east_ms) => FileTime { ms: local_ms - east_ms, has_zone: true },
            ZoneText::Place(place) => {
                self.place = Some(place);
                FileTime { ms: local_ms, has_zone: false }
            }
        };
        self.of_style(style, time)
    }

    fn of_style(&mut self, style: TimeStyle, time: FileTime) -> Result<FileTime, TimeProblem> {
        let first = *self.style.get_or_insert(style);
        if style != first {
            return Err(TimeProblem::Mixed(first));
        }
        time.checked().ok_or(TimeProblem::Unknown)
    }
}

/// A text that begins with the year: ISO 8601, also compact (`20170102`, `20170102 070000`, `20170102-07:00:00`).
fn parse_year_first(text: &str) -> Option<(i64, ClockText)> {
    let midnight = ClockText { ms: 0, zone: ZoneText::None };
    if let Some(day) = text.split_at_checked(10).and_then(|(date, _)| dates::parse_iso(date)) {
        let rest = &text[10..];
        if rest.is_empty() {
            return Some((day, midnight));
        }
        let clock = rest.strip_prefix(['T', 't', ' '])?;
        return Some((day, clock::parse(clock.trim_start())?));
    }
    let (date, rest) = text.split_at_checked(8)?;
    let day = dates::parse_compact(date)?;
    if rest.is_empty() {
        return Some((day, midnight));
    }
    let clock = rest.strip_prefix([' ', '-', 'T', ':'])?.trim_start();
    let compact = || clock::parse_compact(clock).map(|ms| ClockText { ms, zone: ZoneText::None });
    Some((day, clock::parse(clock).or_else(compact)?))
}

/// The date and the clock of a text: the clock begins with the digits before the first colon that digits surround.
pub(super) fn split_date(text: &str) -> (&str, &str) {
    let is_end = |found: char| found == ' ' || matches!(found, 'T' | ',' | '-' | ':');
    let bytes = text.as_bytes();
    let is_digit = |idx: usize| bytes.get(idx).is_some_and(u8::is_ascii_digit);
    let colon =
        (1..bytes.len()).find(|idx| bytes[*idx] == b':' && is_digit(idx - 1) && is_digit(idx + 1));
    // In `02/Jan/2017:07:00` the first colon ends the year.
    let start_of =
        |colon: usize| (0..colon).rev().take_while(|idx| is_digit(*idx)).last().unwrap_or(colon);
    let start = colon.map(|colon| (start_of(colon), colon));
    match start {
        Some((start, colon)) if colon - start > 2 => {
            (text[..colon].trim_end_matches(is_end), &text[colon + 1..])
        }
        Some((start, _)) => (text[..start].trim_end_matches(is_end), &text[start..]),
        None => (text, ""),
    }
}

fn has_letter(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

fn is_number(text: &str) -> bool {
    let n_dots = text.bytes().filter(|byte| *byte == b'.').count();
    n_dots <= 1 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2017-01-02T07:00:00Z.
    const SEVEN: i64 = 1_483_340_400_000;

    fn one(text: &str) -> Result<i64, TimeProblem> {
        TimeReader::default().text(text).map(|moment| moment.ms)
    }

    fn parts(date: &str, clock: &str) -> Result<i64, TimeProblem> {
        TimeReader::default().parts(date, clock).map(|moment| moment.ms)
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
            "20170102  07:00:00",
            "20170102-07:00:00",
            "2017/1/2 7:00",
            "Jan 2, 2017 07:00",
            "Mon Jan 02 2017 08:00:00 GMT+0100 (CET)",
            "02/Jan/2017:07:00:00 +0000",
        ] {
            assert_eq!(one(text), Ok(SEVEN), "{text}");
        }
        assert_eq!(one("2017-01-02"), Ok(SEVEN - 7 * 3_600_000));
        assert_eq!(one("2017-01-02 07:00:00.25"), Ok(SEVEN + 250));
        assert_eq!(one("1969-12-31T23:59:59Z"), Ok(-1_000));
        assert_eq!(one("2017-01-01 24:00"), Ok(SEVEN - 7 * 3_600_000));
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
        assert!(parts("20170102", "2500").is_err());
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
        let is_known = |text| TimeReader::default().text(text).unwrap().has_zone;
        for text in ["1483340400", "2017-01-02T07:00:00Z", "2017-01-02 07:00+01:00"] {
            assert!(is_known(text), "{text}");
        }
        for text in ["2017-01-02", "20170102", "2017-01-02 07:00", "2017-01-02 07-AM"] {
            assert!(!is_known(text), "{text}");
        }
    }

    #[test]
    fn the_first_time_sets_the_style_of_the_file() {
        let mut times = TimeReader::default();
        assert_eq!(times.text("1483340400").map(|it| it.ms), Ok(SEVEN));
        let mixed = Err(TimeProblem::Mixed(TimeStyle::Epoch(EpochUnit::Seconds)));
        assert_eq!(times.text("1483340400000"), mixed);
        assert_eq!(times.text("2017-01-02"), mixed);
        let mut times = TimeReader::in_order(DateOrder::DayFirst);
        assert!(times.text("2017-01-02").is_ok() && times.text("13/01/2017").is_err());
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
            "2017-01-02T24:01",
            "2017-01-02T07:60",
            "2017-01-02T07",
            "2017-01-02T07:00:00X",
            "2017-01-02T07:00:00.",
            "2017-01-02T07:00:00.1.2",
            "2017-01-02T07:00:00+1:2:3",
            "２０１７-01-02",
            "1.2.3",
            "-5",
            ".",
        ] {
            assert!(one(text).is_err(), "{text}");
        }
    }
}
