//! Clocks and zones inside the text of a time.

use super::zone::{Zone, place_named};

pub(super) const MINUTE_MS: i64 = 60_000;
/// Abbreviations of zones with one meaning, and their hours ahead of UTC. `CST`, `IST` and `BST` have several meanings and
/// are refused.
const ABBREVIATIONS: [(&str, i64); 17] = [
    ("UT", 0),
    ("EST", -5),
    ("EDT", -4),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
    ("WET", 0),
    ("WEST", 1),
    ("CET", 1),
    ("CEST", 2),
    ("EET", 2),
    ("EEST", 3),
    ("MSK", 3),
    ("JST", 9),
    ("HKT", 8),
];

/// A clock with the zone behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClockText {
    /// Milliseconds since local midnight; a day for `24:00`.
    pub(super) ms: i64,
    pub(super) zone: ZoneText,
}

/// The zone behind a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ZoneText {
    None,
    /// A distance from UTC in ms, east positive.
    East(i64),
    /// A place of the IANA time zone database.
    Place(Zone),
}

/// `HH:MM`, `HH:MM:SS`, `HH:MM:SS.fff` or `24:00`, also with a 12-hour clock, and with or without a zone.
pub(super) fn parse(text: &str) -> Option<ClockText> {
    let is_clock = |found: char| found.is_ascii_digit() || matches!(found, ':' | '.');
    let end = text.find(|found| !is_clock(found)).unwrap_or(text.len());
    let (clock, rest) = text.split_at(end);
    let rest = rest.trim_start();
    if let Some((is_afternoon, rest)) = half_of_day(rest) {
        return Some(ClockText {
            ms: parse_half_day(clock, is_afternoon)?,
            zone: parse_zone(rest)?,
        });
    }
    Some(ClockText { ms: parse_digits(clock)?, zone: parse_zone(rest)? })
}

/// `HHMM`, `HHMMSS` or `HHMMSSfff` in ms since midnight. Numbers without leading zeros, such as `93000`, are read too.
pub(super) fn parse_compact(text: &str) -> Option<i64> {
    let padded = match text.len() {
        4 | 6 | 9 => text.to_owned(),
        3 | 5 | 8 => format!("0{text}"),
        _ => return None,
    };
    let (hour, rest) = padded.split_at_checked(2)?;
    let (minute, rest) = rest.split_at_checked(2)?;
    let (second, fraction) = if rest.is_empty() { ("00", "") } else { rest.split_at_checked(2)? };
    let fraction_ms = if fraction.is_empty() { 0 } else { i64::from(digits(fraction.as_bytes())?) };
    let minutes = two_digits(hour, 23)? * 60 + two_digits(minute, 59)?;
    Some(minutes * MINUTE_MS + two_digits(second, 59)? * 1_000 + fraction_ms)
}

/// `AM` or `PM` at the start of a text, as whether it is the afternoon, and the rest.
fn half_of_day(text: &str) -> Option<(bool, &str)> {
    let text = text.trim_start_matches('-');
    let (half, rest) = text.split_at_checked(2)?;
    let is_end = !rest.starts_with(|next: char| next.is_alphanumeric());
    let is_afternoon = half.eq_ignore_ascii_case("pm");
    let is_half = is_afternoon || half.eq_ignore_ascii_case("am");
    (is_half && is_end).then_some((is_afternoon, rest.trim_start()))
}

/// `HH`, `HH:MM` or `HH:MM:SS` of a 12-hour clock. The hour 12 comes before 1.
fn parse_half_day(text: &str, is_afternoon: bool) -> Option<i64> {
    let (hour, rest) = text.split_once(':').unwrap_or((text, "00"));
    let hour = two_digits(&padded(hour), 12).filter(|hour| *hour > 0)? % 12;
    let hour = if is_afternoon { hour + 12 } else { hour };
    parse_digits(&format!("{hour:02}:{rest}"))
}

fn parse_digits(clock: &str) -> Option<i64> {
    let mut parts = clock.split(':');
    let hour = parts.next()?;
    let hour = if hour.len() == 1 { two_digits(&padded(hour), 9)? } else { two_digits(hour, 24)? };
    let minute = two_digits(parts.next()?, 59)?;
    let second_ms = parts.next().map_or(Some(0), parse_seconds)?;
    let is_end_of_day = minute == 0 && second_ms == 0;
    if parts.next().is_some() || hour == 24 && !is_end_of_day {
        return None;
    }
    Some((hour * 60 + minute) * MINUTE_MS + second_ms)
}

fn padded(hour: &str) -> String {
    format!("{hour:0>2}")
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

/// Nothing, `Z`, `UTC`, `+01`, `+0100`, `+01:00`, `GMT+0100`, `EST`, `US/Eastern`, each also before a remark such as
/// `(Central European Time)`.
pub(super) fn parse_zone(text: &str) -> Option<ZoneText> {
    let text = match text.split_once('(') {
        Some((zone, remark)) if remark.ends_with(')') => zone.trim_end(),
        _ => text,
    };
    if text.is_empty() {
        return Some(ZoneText::None);
    }
    if matches!(text, "Z" | "z" | "UTC" | "GMT") {
        return Some(ZoneText::East(0));
    }
    let offset = ["GMT", "UTC"]
        .into_iter()
        .find_map(|name| text.strip_prefix(name))
        .unwrap_or(text)
        .trim_start();
    if offset.starts_with(['+', '-']) {
        return parse_offset(offset).map(ZoneText::East);
    }
    if let Some((_, hours)) = ABBREVIATIONS.iter().find(|(name, _)| *name == text) {
        return Some(ZoneText::East(hours * 60 * MINUTE_MS));
    }
    let place = text.contains('/').then(|| place_named(text)).flatten();
    place.map(|place| ZoneText::Place(Zone::of_place(place)))
}

/// `+1`, `+01`, `+0100` or `+01:00` in ms, east positive.
fn parse_offset(text: &str) -> Option<i64> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let offset = &text[1..];
    let (hour, minute) = match offset.len() {
        1 | 2 => (offset, "00"),
        _ => offset.split_at_checked(2)?,
    };
    let minute = minute.strip_prefix(':').unwrap_or(minute);
    Some(sign * (two_digits(&padded(hour), 23)? * 60 + two_digits(minute, 59)?) * MINUTE_MS)
}

fn two_digits(text: &str, max: u32) -> Option<i64> {
    let number = digits(text.as_bytes())?;
    (text.len() == 2 && number <= max).then_some(i64::from(number))
}

/// A number of one to nine decimal digits.
pub(super) fn digits(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() || bytes.len() > 9 || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(bytes.iter().fold(0, |number, byte| number * 10 + u32::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 60 * MINUTE_MS;

    #[test]
    fn clocks_are_read_with_12_and_24_hours() {
        for (text, hours) in [
            ("07:00", 7),
            ("7:00", 7),
            ("07:00:00.000", 7),
            ("12:00 AM", 0),
            ("7:00:00 pm", 19),
            ("07-AM", 7),
            ("12PM", 12),
            ("24:00", 24),
            ("24:00:00", 24),
        ] {
            assert_eq!(
                parse(text),
                Some(ClockText { ms: hours * HOUR_MS, zone: ZoneText::None }),
                "{text}"
            );
        }
        for text in [
            "24:01",
            "25:00",
            "07",
            "07:60",
            "13-PM",
            "00-AM",
            "07:00:00.",
            "07:00:00:00",
            "7:0",
            "07:00 XM",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn zones_are_offsets_abbreviations_and_places() {
        for (text, hours) in [
            ("07:00Z", 0),
            ("07:00 UTC", 0),
            ("07:00+01:00", 1),
            ("07:00 GMT+0100", 1),
            ("07:00 GMT+0100 (CET)", 1),
            ("07:00-05", -5),
            ("07:00 UTC+2", 2),
            ("7:00 AM EST", -5),
            ("07:00:00 PDT", -7),
        ] {
            assert_eq!(
                parse(text).map(|it| it.zone),
                Some(ZoneText::East(hours * HOUR_MS)),
                "{text}"
            );
        }
        let place = ZoneText::Place("US/Eastern".parse().unwrap());
        assert_eq!(parse("07:00:00 US/Eastern").map(|it| it.zone), Some(place));
        // Several zones have these names.
        for text in ["07:00 CST", "07:00 IST", "07:00 XYZ", "07:00+", "07:00+xx"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn compact_clocks_may_lack_their_leading_zero() {
        assert_eq!(parse_compact("093000"), Some(9 * HOUR_MS + 30 * MINUTE_MS));
        assert_eq!(parse_compact("93000"), parse_compact("093000"));
        assert_eq!(parse_compact("0930"), parse_compact("093000"));
        assert_eq!(parse_compact("93000000"), parse_compact("093000"));
        assert_eq!(parse_compact("2500"), None);
    }
}
