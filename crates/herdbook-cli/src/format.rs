//! Formats numbers and times for people. An undefined value is a dash.

use herdbook_domain::{CLOCK_TOLERANCE_MS, Timestamp, Unit};

/// Stands for an undefined value.
pub(crate) const UNDEFINED: &str = "–";

/// A whole number with thousands separators: `100,352`.
pub(crate) fn count(n: u64) -> String {
    herdbook_domain::grouped(n)
}

/// A fraction as a percentage with a sign: `+1.20%`.
pub(crate) fn signed_percent(value: Option<f64>) -> String {
    value.map_or_else(|| UNDEFINED.to_owned(), |value| herdbook_domain::signed_percent(value, 2))
}

/// A number with the given number of decimals.
pub(crate) fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| UNDEFINED.to_owned(), |value| format!("{value:.decimals$}"))
}

/// The value of a metric in the unit that its name implies.
pub(crate) fn metric(name: &str, value: f64) -> String {
    match Unit::of(name) {
        Unit::Count if value >= 0.0 => count(value as u64),
        unit => unit.text(value),
    }
}

/// The value of a metric, or a dash.
pub(crate) fn metric_of(value: Option<f64>, name: &str) -> String {
    value.map_or_else(|| UNDEFINED.to_owned(), |value| metric(name, value))
}

/// A time in UTC, to the minute: `2026-11-23 18:33`.
pub(crate) fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{} {}", &text[..10], &text[11..16])
}

/// A duration before now: `3 min ago`, `5 h ago`, `2 d ago`. A time after the clock has no age.
pub(crate) fn age(millis: i64) -> String {
    if millis < -CLOCK_TOLERANCE_MS {
        return "in the future of the clock".to_owned();
    }
    let minutes = millis.max(0) / 60_000;
    match minutes {
        0 => "just now".to_owned(),
        1..60 => format!("{minutes} min ago"),
        60..2_880 => format!("{} h ago", minutes / 60),
        _ => format!("{} d ago", minutes / 1_440),
    }
}

/// The first eight digits of a run id, enough to recognise it.
pub(crate) fn short_run(run_id: &herdbook_domain::RunId) -> &str {
    &run_id.as_str()[..8]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_by_their_unit() {
        assert_eq!(count(100_352), "100,352");
        assert_eq!(count(7), "7");
        assert_eq!(metric("portfolio/total_return", 0.0123), "+1.23%");
        assert_eq!(metric("portfolio/max_drawdown", 0.0123), "1.23%");
        assert_eq!(metric("portfolio/total_trades", 12.0), "12");
        assert_eq!(metric("improvement_portfolio/sharpe_ratio", 15.717), "+15.72%");
    }

    #[test]
    fn ages_are_shown_in_their_largest_unit() {
        assert_eq!(age(0), "just now");
        assert_eq!(age(-1), "just now");
        assert_eq!(age(-61_000), "in the future of the clock");
        assert_eq!(age(3 * 60_000), "3 min ago");
        assert_eq!(age(5 * 3_600_000), "5 h ago");
        assert_eq!(age(72 * 3_600_000), "3 d ago");
    }
}
