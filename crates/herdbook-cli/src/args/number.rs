//! Parsers of numbers on the command line. Their errors say which numbers are allowed.

use std::num::NonZeroUsize;
use std::ops::RangeInclusive;

/// A parser of whole numbers in `range`.
pub(super) fn whole<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let number = text.parse::<u64>().ok().filter(|number| range.contains(number));
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("give a whole number from {} to {}", range.start(), range.end()))
    }
}

/// Parses a number of rows.
pub(super) fn rows(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| format!("give a whole number from 1 to {}", usize::MAX))
}

/// Parses a number that may have a decimal fraction.
pub(super) fn decimal(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| "give a number such as `1` or `0.5`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_allowed_numbers() {
        let threads = whole::<u16>(1..=256);
        assert_eq!(threads("256"), Ok(256));
        for text in ["0", "257", "-1", "1.5", "", "x"] {
            assert_eq!(
                threads(text),
                Err("give a whole number from 1 to 256".to_owned()),
                "{text}"
            );
        }
        let seed = whole::<u64>(0..=u64::MAX);
        assert_eq!(seed("18446744073709551615"), Ok(u64::MAX));
        let too_large = seed("18446744073709551616");
        assert_eq!(too_large, Err("give a whole number from 0 to 18446744073709551615".to_owned()));
        assert!(rows("0").unwrap_err().starts_with("give a whole number from 1 to "));
        assert_eq!(decimal("x"), Err("give a number such as `1` or `0.5`".to_owned()));
    }
}
