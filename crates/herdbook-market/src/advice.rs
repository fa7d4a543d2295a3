//! The flags of the command line that resolve an error about a file of bars.

use crate::error::MarketError;

impl MarketError {
    /// The flags to try, as they are typed into a shell. Each entry is an alternative.
    pub fn flags_to_try(&self) -> Vec<String> {
        let flags = |all: &[&str]| all.iter().map(|flag| (*flag).to_owned()).collect();
        match self {
            Self::MissingColumns { flags, .. }
            | Self::UnnamedColumns { flags, .. }
            | Self::RepeatedColumn { flags, .. }
            | Self::GivenColumns { flags, .. } => flags.clone(),
            Self::SeveralVolumes { first, second, .. } => {
                [first, second].map(|name| format!("--volume-column {}", quoted(name))).into()
            }
            Self::SeveralMembers { names, .. } => {
                names.first().map(|name| format!("--member {}", quoted(name))).into_iter().collect()
            }
            Self::UnknownZone { .. } => flags(&[
                "--bar-timezone America/New_York+07:00",
                "--bar-timezone Europe/Athens",
                "--bar-timezone UTC",
            ]),
            Self::ClockChange { zones, .. } => {
                zones.iter().map(|zone| format!("--bar-timezone {zone}")).collect()
            }
            Self::AmbiguousTime { value, .. } => of_ambiguous(value),
            Self::AmbiguousNumber { .. } => flags(&["--decimal ,", "--decimal ."]),
            Self::UnclearStamp { .. } => flags(&["--bars-stamped close", "--bars-stamped open"]),
            Self::UnknownTime { value, .. } => of_unknown_time(value),
            Self::BadRows { are_columns_swapped: true, .. } => Vec::new(),
            Self::BadRows { rows, can_be_skipped, .. } => {
                let first = rows.first().map(|row| row.0.flags_to_try()).unwrap_or_default();
                if *can_be_skipped && first.is_empty() {
                    flags(&["--skip-bad-rows"])
                } else {
                    first
                }
            }
            Self::NoPrices { .. }
            | Self::NotANumber { .. }
            | Self::PriceNotPositive { .. }
            | Self::NegativeVolume { .. }
            | Self::HighTooLow { .. }
            | Self::LowTooHigh { .. }
            | Self::ColumnCount { .. } => flags(&["--skip-bad-rows"]),
            _ => Vec::new(),
        }
    }
}

/// A date of which the first number has two digits may have the year there, too.
fn of_ambiguous(value: &str) -> Vec<String> {
    let date = value.split([' ', 'T']).next().unwrap_or_default();
    let has_year = date.split(['/', '-', '.']).next_back().is_some_and(|last| last.len() == 4);
    let orders: &[&str] = if has_year {
        &["day-first", "month-first"]
    } else {
        &["day-first", "month-first", "year-first"]
    };
    orders.iter().map(|order| format!("--time-format {order}")).collect()
}

/// Small numbers are the serial days of Excel; smaller and negative ones count from 1970.
fn of_unknown_time(value: &str) -> Vec<String> {
    const SERIAL_DAYS: std::ops::Range<f64> = 10_000.0..100_000.0;
    let formats: &[&str] = match value.parse::<f64>() {
        Ok(number) if SERIAL_DAYS.contains(&number) => &["excel"],
        Ok(number) if number.is_finite() => &["s", "ms"],
        _ => &[],
    };
    formats.iter().map(|format| format!("--time-format {format}")).collect()
}

/// A value as one word of a shell.
pub(crate) fn quoted(value: &str) -> String {
    let is_plain = |found: char| found.is_ascii_alphanumeric() || "_,.:/+=%@-".contains(found);
    if !value.is_empty() && value.chars().all(is_plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn values_are_one_word_of_a_shell() {
        assert_eq!(quoted("time,open"), "time,open");
        assert_eq!(quoted("close=Close/Last"), "close=Close/Last");
        assert_eq!(quoted("Volume BTC"), "'Volume BTC'");
        assert_eq!(quoted("a'b"), r"'a'\''b'");
        assert_eq!(quoted(""), "''");
    }
}
