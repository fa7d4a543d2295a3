//! Numbers as text. An undefined value is a dash.

/// Stands for an undefined value.
const UNDEFINED: &str = "–";

/// A fraction as a percentage with a sign: `+1.20%`.
pub(crate) fn signed_percent(value: Option<f64>) -> String {
    value.map_or_else(|| UNDEFINED.to_owned(), |value| herdbook_domain::signed_percent(value, 2))
}

/// A fraction as a percentage: `12.3%`.
pub(crate) fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| UNDEFINED.to_owned(), |value| herdbook_domain::percent(value, 1))
}

/// A number with two decimals.
pub(crate) fn number(value: Option<f64>) -> String {
    value.map_or_else(|| UNDEFINED.to_owned(), |value| format!("{value:.2}"))
}

/// A whole number with thousands separators: `100,352`.
pub(crate) fn count(n: usize) -> String {
    herdbook_domain::grouped(n as u64)
}

/// Names in one clause: `a`, `a and b`, `a, b and c`.
pub(crate) fn and(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_unit_and_undefined_ones_are_a_dash() {
        assert_eq!(signed_percent(Some(0.012)), "+1.20%");
        assert_eq!((percent(Some(0.123)), percent(None)), ("12.3%".to_owned(), "–".to_owned()));
        assert_eq!(
            (number(Some(-0.881)), count(100_352)),
            ("-0.88".to_owned(), "100,352".to_owned())
        );
    }

    #[test]
    fn names_are_joined_to_a_clause() {
        let of = |names: &[&str]| and(&names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            [of(&[]), of(&["a"]), of(&["a", "b"]), of(&["a", "b", "c"])],
            ["", "a", "a and b", "a, b and c"]
        );
    }
}
