//! The result by volatility, trend, month, weekday and hour.
//!
//! A return belongs to the bar that earned it. Its volatility and trend are those known when its position was decided, at
//! the close of the bar before.

use std::collections::BTreeMap;
use std::ops::Range;

use herdbook_domain::{Timeframe, Timestamp, percent};
use herdbook_market::feature_names;
use herdbook_market::indicators::{LogReturn, RollingWindow, mean_square};
use serde::{Deserialize, Serialize};

use crate::environment::market_data::Tape;
use crate::results::figures::PairedReturns;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Number of log returns of the volatility, as σ20 of the features.
const VOLATILITY_BARS: usize = 20;
/// The feature that tells the trend: the log return over 50 bars in units of its volatility.
const TREND: &str = "return_50";
/// A trend beyond ± this value is up or down.
const TREND_LIMIT: f32 = 1.0;
const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// 1970-01-01 was a Thursday.
const FIRST_WEEKDAY: i64 = 3;

/// By what the bars are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupedBy {
    /// Three groups of the same size, by the volatility of the last 20 bars.
    Volatility,
    /// By the log return over the last 50 bars, in units of its volatility: below -1, between, above 1.
    Trend,
    /// By calendar month (UTC).
    Month,
    /// By day of the week (UTC); for bars shorter than a day.
    Weekday,
    /// By hour of the day (UTC); for bars shorter than a day.
    Hour,
}

/// The result on one group of bars.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The name of the group.
    pub name: String,
    /// Number of bars.
    pub n_bars: usize,
    /// Compound return of the model over these bars, after costs, as a fraction.
    pub total_return: f64,
    /// Compound return of holding over these bars, as a fraction.
    pub buy_and_hold: f64,
    /// Mean return of the model per bar, as a fraction.
    pub mean_return: f64,
    /// Share of the bars with a position.
    pub exposure_time: f64,
}

/// The result by group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Breakdown {
    /// By what the bars are grouped.
    pub by: GroupedBy,
    /// The groups that have bars, in their order.
    pub groups: Vec<Group>,
}

/// Groups the returns over `bars` in every way that suits the timeframe. Empty without a return.
pub(crate) fn breakdowns(
    tape: &Tape,
    bars: &Range<usize>,
    returns: &PairedReturns,
) -> Vec<Breakdown> {
    if returns.model.is_empty() {
        return Vec::new();
    }
    let of = |by: GroupedBy, names: Vec<(usize, String)>| {
        let mut groups: BTreeMap<(usize, String), Vec<usize>> = BTreeMap::new();
        for (idx, name) in names.into_iter().enumerate() {
            groups.entry(name).or_default().push(idx);
        }
        let groups = groups.into_iter().map(|((_, name), members)| group(name, &members, returns));
        Breakdown { by, groups: groups.collect() }
    };
    let earned = &tape.bars.as_slice()[bars.start + 1..bars.start + 1 + returns.model.len()];
    let by_time = |name: &dyn Fn(i64) -> (usize, String)| -> Vec<(usize, String)> {
        earned.iter().map(|bar| name(bar.open_time_ms)).collect()
    };
    let decided = bars.start..bars.start + returns.model.len();
    let mut found = vec![
        of(GroupedBy::Volatility, by_volatility(tape, &decided)),
        of(GroupedBy::Trend, by_trend(tape, &decided)),
        of(GroupedBy::Month, by_time(&month)),
    ];
    if tape.bars.timeframe() != Timeframe::Day1 {
        found.push(of(GroupedBy::Weekday, by_time(&weekday)));
        found.push(of(GroupedBy::Hour, by_time(&hour)));
    }
    found
}

/// The month with the lowest return of the model; `None` for fewer than two months.
pub(crate) fn worst_month(breakdowns: &[Breakdown]) -> Option<&Group> {
    let months = breakdowns.iter().find(|found| found.by == GroupedBy::Month)?;
    let by_return = |a: &&Group, b: &&Group| a.total_return.total_cmp(&b.total_return);
    months.groups.iter().min_by(by_return).filter(|_| months.groups.len() > 1)
}

fn group(name: String, members: &[usize], returns: &PairedReturns) -> Group {
    let compound = |values: &[f64]| {
        members.iter().fold(1.0, |growth, idx| growth * (1.0 + values[*idx])) - 1.0
    };
    let n = members.len() as f64;
    let n_exposed = members.iter().filter(|idx| returns.positions[**idx] != 0.0).count();
    Group {
        name,
        n_bars: members.len(),
        total_return: compound(&returns.model),
        buy_and_hold: compound(&returns.holding),
        mean_return: members.iter().map(|idx| returns.model[*idx]).sum::<f64>() / n,
        exposure_time: n_exposed as f64 / n,
    }
}

fn by_volatility(tape: &Tape, decided: &Range<usize>) -> Vec<(usize, String)> {
    let (mut log_return, mut window) = (LogReturn::new(), RollingWindow::new(VOLATILITY_BARS));
    // The features need a longer warm-up, so the window is full at the first decision.
    let bars = &tape.bars.as_slice()[..decided.end];
    let volatilities: Vec<f64> = bars
        .iter()
        .map(|bar| {
            if let Some(change) = log_return.push(bar.close) {
                window.push(change);
            }
            window.full().map_or(0.0, |changes| mean_square(changes).sqrt())
        })
        .collect();
    let decided = &volatilities[decided.clone()];
    let mut sorted = decided.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let limit = |third: usize| sorted[(sorted.len() * third / 3).saturating_sub(1)];
    let (low, middle) = (limit(1), limit(2));
    let names = [
        format!("low, up to {} per bar", percent(low, 3)),
        format!("middle, up to {}", percent(middle, 3)),
        "high, above".to_owned(),
    ];
    let third = |value: &f64| usize::from(*value > low) + usize::from(*value > middle);
    decided.iter().map(third).map(|idx| (idx, names[idx].clone())).collect()
}

fn by_trend(tape: &Tape, decided: &Range<usize>) -> Vec<(usize, String)> {
    let column = feature_names().iter().position(|name| *name == TREND);
    let column = column.expect("the features have this name");
    let name = |bar_idx: usize| {
        let trend = tape.features.row(bar_idx)[column];
        let (idx, name) = match trend {
            value if value < -TREND_LIMIT => (0, "down"),
            value if value > TREND_LIMIT => (2, "up"),
            _ => (1, "sideways"),
        };
        (idx, name.to_owned())
    };
    decided.clone().map(name).collect()
}

/// The group of the calendar month, such as `2017-11`.
fn month(open_time_ms: i64) -> (usize, String) {
    let text = Timestamp::from_millis(open_time_ms).to_string();
    (0, text.chars().take(7).collect())
}

fn weekday(open_time_ms: i64) -> (usize, String) {
    let day = (open_time_ms.div_euclid(DAY_MS) + FIRST_WEEKDAY).rem_euclid(7) as usize;
    (day, WEEKDAYS[day].to_owned())
}

fn hour(open_time_ms: i64) -> (usize, String) {
    let hour = open_time_ms.rem_euclid(DAY_MS) / HOUR_MS;
    (hour as usize, format!("{hour:02}:00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_grouped_in_utc() {
        let at = Timestamp::parse("2017-11-05T23:30Z").unwrap().millis();
        assert_eq!(month(at), (0, "2017-11".to_owned()));
        assert_eq!(weekday(at), (6, "Sunday".to_owned()));
        assert_eq!(hour(at), (23, "23:00".to_owned()));
        assert_eq!((weekday(-1).1.as_str(), hour(-1).0), ("Wednesday", 23));
    }

    #[test]
    fn group_compounds_returns_of_its_own_bars() {
        let returns = PairedReturns {
            model: vec![0.1, 0.5, -0.1, 0.0],
            holding: vec![0.2, 0.5, 0.0, 0.1],
            positions: vec![1.0, 1.0, -1.0, 0.0],
        };
        let found = group("some".to_owned(), &[0, 2, 3], &returns);
        assert!((found.total_return - (1.1 * 0.9 - 1.0)).abs() < 1e-12);
        assert!((found.buy_and_hold - (1.2 * 1.1 - 1.0)).abs() < 1e-12);
        assert!(found.mean_return.abs() < 1e-12);
        assert!((found.exposure_time - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn one_month_has_no_worst_one() {
        let group = |name: &str, total_return| Group {
            name: name.to_owned(),
            n_bars: 1,
            total_return,
            buy_and_hold: 0.0,
            mean_return: 0.0,
            exposure_time: 0.0,
        };
        let of = |groups: Vec<Group>| vec![Breakdown { by: GroupedBy::Month, groups }];
        assert_eq!(worst_month(&of(vec![group("2017-01", -0.1)])), None);
        let two = of(vec![group("2017-01", -0.1), group("2017-02", -0.2)]);
        assert_eq!(worst_month(&two).unwrap().name, "2017-02");
    }
}
