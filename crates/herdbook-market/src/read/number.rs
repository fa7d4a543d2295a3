//! Numbers as files write them: with a decimal point or comma, groups of three digits, a currency sign, or a unit behind.

use super::options::DecimalMark;

/// Signs of currencies before or behind a price.
const CURRENCIES: [char; 6] = ['$', '€', '£', '¥', '₹', '₩'];
/// Units behind a volume.
const UNITS: [(u8, f64); 4] = [(b'K', 1e3), (b'M', 1e6), (b'B', 1e9), (b'T', 1e12)];

/// What the marks inside a number show about the decimal mark of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// The decimal mark can only be this one.
    Only(DecimalMark),
    /// There is one comma before three digits: it can be either.
    CommaOfThree,
    Nothing,
}

/// A finite number.
pub(super) fn parse(text: &str, decimal: DecimalMark) -> Option<f64> {
    let plain = match decimal {
        DecimalMark::Dot => text.parse().ok(),
        DecimalMark::Comma => None,
    };
    plain.or_else(|| parse_marked(text, decimal)).filter(|number: &f64| number.is_finite())
}

/// A finite number, with a unit such as `1.2M`.
pub(super) fn parse_with_unit(text: &str, decimal: DecimalMark) -> Option<f64> {
    let last = text.bytes().next_back()?.to_ascii_uppercase();
    match UNITS.iter().find(|(letter, _)| *letter == last) {
        Some((_, factor)) => {
            let number = parse(text[..text.len() - 1].trim_end(), decimal)?;
            Some(rounded(number * factor))
        }
        None => parse(text, decimal),
    }
}

/// The product of a number of few digits and a power of ten, without the rounding error of the multiplication.
fn rounded(product: f64) -> f64 {
    let whole = product.round();
    if (product - whole).abs() < 1e-3 { whole } else { product }
}

/// What the text shows about the decimal mark.
pub(super) fn evidence(text: &str) -> Evidence {
    let text = bare(text).trim_end_matches(|last: char| last.is_ascii_alphabetic());
    let digits_after = |mark: char| text.rsplit(mark).next().map_or(0, str::len);
    let count = |mark: char| text.matches(mark).count();
    match (count(','), count('.')) {
        (0, 0) => Evidence::Nothing,
        (0, 1) if digits_after('.') == 3 => Evidence::Nothing,
        (0, 1) => Evidence::Only(DecimalMark::Dot),
        (0, _) => Evidence::Only(DecimalMark::Comma),
        (1, 0) => {
            let before = text.split(',').next().unwrap_or_default().trim_start_matches('-');
            if digits_after(',') != 3
                || before.len() > 3
                || before.is_empty()
                || before.starts_with('0')
            {
                Evidence::Only(DecimalMark::Comma)
            } else {
                Evidence::CommaOfThree
            }
        }
        (_, 0) => Evidence::Only(DecimalMark::Dot),
        _ if text.rfind(',') > text.rfind('.') => Evidence::Only(DecimalMark::Comma),
        _ => Evidence::Only(DecimalMark::Dot),
    }
}

/// The text without the sign of a currency.
fn bare(text: &str) -> &str {
    text.trim_matches(|found: char| CURRENCIES.contains(&found) || found.is_whitespace())
}

fn parse_marked(text: &str, decimal: DecimalMark) -> Option<f64> {
    let (is_negative, rest) = match bare(text).strip_prefix('-') {
        Some(rest) => (true, bare(rest)),
        None => (false, bare(text).trim_start_matches('+')),
    };
    let (mark, other) = match decimal {
        DecimalMark::Dot => ('.', ','),
        DecimalMark::Comma => (',', '.'),
    };
    let (whole, fraction) = match rest.split_once(mark) {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (rest, None),
    };
    let mut digits = String::with_capacity(text.len());
    if is_negative {
        digits.push('-');
    }
    push_groups(whole, other, &mut digits)?;
    if let Some(fraction) = fraction {
        digits.push('.');
        digits.push_str(fraction);
    }
    // `parse` also reads `inf` and the like: only digits, and an exponent, are numbers here.
    let is_number =
        |found: char| found.is_ascii_digit() || matches!(found, '.' | '-' | '+' | 'e' | 'E');
    if digits.chars().all(is_number) { digits.parse().ok() } else { None }
}

/// Adds the digits of a whole number. Groups have three digits apart from the first one; or two apart from the last one,
/// as in India.
fn push_groups(whole: &str, other: char, digits: &mut String) -> Option<()> {
    let is_mark =
        |found: char| found == other || found == '\'' || found == '’' || found.is_whitespace();
    let Some(mark) = whole.chars().find(|found| is_mark(*found)) else {
        digits.push_str(whole);
        return Some(());
    };
    let groups: Vec<&str> = whole.split(mark).collect();
    let (first, last) = (groups[0].len(), groups[groups.len() - 1].len());
    let between = &groups[1..groups.len() - 1];
    let are_of = |length: usize| {
        (1..=length).contains(&first) && between.iter().all(|group| group.len() == length)
    };
    let is_digits = |group: &&str| group.bytes().all(|byte| byte.is_ascii_digit());
    if last != 3 || !(are_of(3) || are_of(2)) || !groups.iter().all(is_digits) {
        return None;
    }
    digits.extend(groups);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use DecimalMark::{Comma, Dot};

    #[test]
    fn numbers_are_read_with_either_mark_groups_and_currencies() {
        for (text, decimal, expected) in [
            ("1234.5", Dot, 1234.5),
            ("1e3", Dot, 1000.0),
            ("$103.62", Dot, 103.62),
            ("-$1,234.50", Dot, -1234.5),
            ("1,234,567", Dot, 1_234_567.0),
            ("12,34,567.5", Dot, 1_234_567.5),
            ("1'234.5", Dot, 1234.5),
            ("1 234.5", Dot, 1234.5),
            ("1.234,5", Comma, 1234.5),
            ("1\u{a0}234,5 €", Comma, 1234.5),
            ("100,25", Comma, 100.25),
            ("0,5", Comma, 0.5),
            ("1.234", Comma, 1234.0),
            ("7", Comma, 7.0),
        ] {
            assert_eq!(parse(text, decimal), Some(expected), "{text}");
        }
        for (text, decimal) in [
            ("1,75", Dot),
            ("1.75", Comma),
            ("12,345,67", Dot),
            ("1234,567", Dot),
            ("1,2345", Dot),
            ("inf", Dot),
            ("NaN", Dot),
            ("", Dot),
            ("1,,234", Dot),
            ("x", Comma),
            ("inf", Comma),
        ] {
            assert_eq!(parse(text, decimal), None, "{text}");
        }
        assert_eq!(parse_with_unit("1.23M", Dot), Some(1_230_000.0));
        assert_eq!(parse_with_unit("1,5k", Comma), Some(1_500.0));
        assert_eq!(parse_with_unit("770", Dot), Some(770.0));
        assert_eq!(parse_with_unit("M", Dot), None);
    }

    #[test]
    fn decimal_mark_is_shown_by_what_has_one_reading() {
        for (text, expected) in [
            ("100,0", Evidence::Only(Comma)),
            ("1.234,50", Evidence::Only(Comma)),
            ("1.234.567", Evidence::Only(Comma)),
            ("0,123", Evidence::Only(Comma)),
            ("1234,567", Evidence::Only(Comma)),
            ("1,234.5", Evidence::Only(Dot)),
            ("1,234,567", Evidence::Only(Dot)),
            ("1.5", Evidence::Only(Dot)),
            ("1,234", Evidence::CommaOfThree),
            ("1.234", Evidence::Nothing),
            ("770", Evidence::Nothing),
        ] {
            assert_eq!(evidence(text), expected, "{text}");
        }
    }
}
