//! Dates as texts.

use chrono::NaiveDate;

use super::clock::digits;

pub(super) const DAY_MS: i64 = 86_400_000;
/// Two-digit years from this on are in the 20th century, as POSIX has it.
const FIRST_OF_1900: u32 = 69;

/// The order of the numbers of a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "`day first` is the usual name of the order")]
pub(super) enum DateOrder {
    DayFirst,
    MonthFirst,
    YearFirst,
}

impl DateOrder {
    /// Name for messages and for `--time-format`.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::DayFirst => "day-first",
            Self::MonthFirst => "month-first",
            Self::YearFirst => "year-first",
        }
    }
}

/// The parts of a date, in the order of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DateText {
    /// The text has one reading: midnight in ms since 1970.
    Known(i64),
    /// Three numbers, of which the first is no year of four digits.
    Numbers(DateNumbers),
}

/// Three numbers that make a date once their order is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DateNumbers {
    parts: [u32; 3],
    /// Whether the last number is a year of four digits.
    pub(super) ends_with_year: bool,
    /// Whether dots separate the numbers.
    pub(super) has_dots: bool,
}

/// `YYYYMMDD`.
pub(super) fn parse_compact(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 8 || !(b"19".as_slice()..=b"20".as_slice()).contains(&&bytes[..2]) {
        return None;
    }
    days(digits(&bytes[..4])?, digits(&bytes[4..6])?, digits(&bytes[6..])?)
}

/// `YYYY-MM-DD`, also with `/` or `.`. With the year first, day and month are unambiguous.
pub(super) fn parse_iso(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let separator = *bytes.get(4)?;
    if bytes.len() != 10 || !b"-/.".contains(&separator) || bytes[7] != separator {
        return None;
    }
    days(digits(&bytes[..4])?, digits(&bytes[5..7])?, digits(&bytes[8..])?)
}

/// A date in any form: `2017/1/2`, `02.01.2017`, `Jan 2, 2017`, `2-Jan-17`, `Mon, 02 January 2017`, `2017年1月2日`.
pub(super) fn parse(text: &str) -> Option<DateText> {
    let is_separator =
        |found: char| matches!(found, '-' | '/' | '.' | ',' | ' ' | '年' | '月' | '日');
    let mut parts: Vec<&str> = text.split(is_separator).filter(|part| !part.is_empty()).collect();
    if parts.first().is_some_and(|first| is_weekday(first)) {
        parts.remove(0);
    }
    let [first, second, third] = parts[..] else { return None };
    if let Some(month) = month_named(second) {
        return named(third, month, first)
            .or_else(|| named(first, month, third))
            .map(DateText::Known);
    }
    if let Some(month) = month_named(first) {
        return named(third, month, second).map(DateText::Known);
    }
    let number = |part: &str| digits(part.as_bytes());
    let numbers = [number(first)?, number(second)?, number(third)?];
    let lengths = [first.len(), second.len(), third.len()];
    match lengths {
        [4, 1..=2, 1..=2] => days(numbers[0], numbers[1], numbers[2]).map(DateText::Known),
        [1..=2, 1..=2, 2 | 4] => Some(DateText::Numbers(DateNumbers {
            parts: numbers,
            ends_with_year: third.len() == 4,
            has_dots: text.contains('.'),
        })),
        _ => None,
    }
}

impl DateNumbers {
    /// Midnight in ms since 1970 with the numbers in this order; `None` if that is no date.
    pub(super) fn in_order(self, order: DateOrder) -> Option<i64> {
        let [first, second, third] = self.parts;
        match order {
            DateOrder::DayFirst => days(self.year(third), second, first),
            DateOrder::MonthFirst => days(self.year(third), first, second),
            DateOrder::YearFirst if self.ends_with_year => None,
            DateOrder::YearFirst => days(full_year(first), second, third),
        }
    }

    const fn year(self, number: u32) -> u32 {
        if self.ends_with_year { number } else { full_year(number) }
    }
}

const fn full_year(two_digits: u32) -> u32 {
    if two_digits >= FIRST_OF_1900 { 1_900 + two_digits } else { 2_000 + two_digits }
}

fn named(year: &str, month: u32, day: &str) -> Option<i64> {
    let number = digits(year.as_bytes())?;
    let year = match year.len() {
        4 => number,
        2 => full_year(number),
        _ => return None,
    };
    let day = Some(day).filter(|day| day.len() <= 2)?;
    days(year, month, digits(day.as_bytes())?)
}

fn days(year: u32, month: u32, day: u32) -> Option<i64> {
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    Some(i64::from(date.to_epoch_days()) * DAY_MS)
}

/// The number of a month by its English name or the first three letters of it.
fn month_named(text: &str) -> Option<u32> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    number_named(text, &MONTHS)
}

fn is_weekday(text: &str) -> bool {
    const WEEKDAYS: [&str; 7] =
        ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    number_named(text, &WEEKDAYS).is_some()
}

fn number_named(text: &str, names: &[&str]) -> Option<u32> {
    if !text.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return None;
    }
    let text = text.to_ascii_lowercase();
    let is_named = |name: &&str| {
        **name == *text
            || text.len() == 3 && name.starts_with(&text)
            || text == "sept" && name.starts_with(&text)
    };
    names.iter().position(is_named).map(|idx| idx as u32 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2017-01-02.
    const SECOND_MS: i64 = 1_483_315_200_000;

    #[test]
    fn dates_with_a_name_or_the_year_first_are_known() {
        for text in [
            "2017-01-02",
            "2017/1/2",
            "2017.01.02",
            "Jan 2, 2017",
            "Jan 02 2017",
            "02 Jan 2017",
            "2-Jan-17",
            "2017-Jan-02",
            "Mon, 02 January 2017",
            "Monday Jan 2 2017",
            "2017年1月2日",
            "02-JAN-2017",
        ] {
            assert_eq!(parse(text), Some(DateText::Known(SECOND_MS)), "{text}");
        }
    }

    #[test]
    fn other_numbers_need_an_order() {
        for (text, order) in [
            ("02.01.2017", DateOrder::DayFirst),
            ("2/1/17", DateOrder::DayFirst),
            ("01/02/2017", DateOrder::MonthFirst),
            ("17-01-02", DateOrder::YearFirst),
        ] {
            let Some(DateText::Numbers(numbers)) = parse(text) else { panic!("{text}") };
            assert_eq!(numbers.in_order(order), Some(SECOND_MS), "{text}");
        }
        let Some(DateText::Numbers(late)) = parse("13/01/2017") else { panic!() };
        assert_eq!(late.in_order(DateOrder::MonthFirst), None);
        assert_eq!(late.in_order(DateOrder::YearFirst), None);
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "2017-02-30",
            "2017-13-01",
            "2017-01",
            "1.2.3",
            "20170102",
            "Foo 2, 2017",
            "2017-01-02-03",
            "２０１７-01-02",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
