//! Metrics by name: whether more or less is better, and the improvement of a child over its parent.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::evidence::unit::Unit;

/// Whether more or less of a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More is better.
    More,
    /// Less is better.
    Less,
    /// Neither is better: a count or a description.
    Neither,
}

/// Metrics of which less is better, without prefix.
const LESS: [&str; 10] = [
    "volatility",
    "downside_deviation",
    "max_drawdown",
    "max_drawdown_duration",
    "value_at_risk",
    "conditional_value_at_risk",
    "turnover",
    "min_track_record_length",
    "loss",
    "value_loss",
];

/// Metrics of which neither more nor less is better, without prefix.
const NEITHER: [&str; 17] = [
    "total_trades",
    "exposure_time",
    "n_returns",
    "skew",
    "kurtosis",
    "kelly_per_bar",
    "kelly_trades",
    "mean_ep_length",
    "timesteps",
    "previous_timesteps",
    "current_run_timesteps",
    "total_timesteps",
    "learning_rate",
    "entropy",
    "approx_kl",
    "clip_fraction",
    "steps_per_second",
];

impl Direction {
    /// The direction of the metric with this name.
    ///
    /// Only the part after the last `/` counts, without a leading `improvement_` or `best_`. For an unknown name more
    /// is better, as for any reward or score.
    pub fn of(metric: &str) -> Self {
        let last = metric.rsplit('/').next().unwrap_or(metric);
        let name = ["improvement_", "best_"]
            .iter()
            .find_map(|prefix| last.strip_prefix(prefix))
            .unwrap_or(last);
        if LESS.contains(&name) || name.starts_with("std_") {
            Self::Less
        } else if NEITHER.contains(&name) {
            Self::Neither
        } else {
            Self::More
        }
    }
}

/// Prefixes of the metrics that are compared with the parent: results, not the course of the training.
const COMPARED: [&str; 3] = ["evaluation/", "final/", "portfolio/"];

/// The metrics whose improvement is shown in a summary.
pub const HEADLINE_METRICS: [&str; 10] = [
    "final/mean_reward",
    "final/mean_return",
    "final/std_reward",
    "evaluation/mean_reward",
    "portfolio/total_return",
    "portfolio/sharpe_ratio",
    "portfolio/sortino_ratio",
    "portfolio/max_drawdown",
    "portfolio/win_rate",
    "portfolio/profit_factor",
];

/// A change by more than this multiple of the parent's value is shown as a difference.
const GREATEST_MULTIPLE: f64 = 3.0;

/// A metric of a child compared with its parent's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Improvement {
    /// The parent's value.
    pub parent: f64,
    /// The child's value.
    pub child: f64,
    /// `child − parent`, in the unit of the metric.
    pub difference: f64,
    /// `100 · (child − parent) / |parent|`; `None` for a parent of 0.
    pub percent: Option<f64>,
    /// Whether the parent's value is so small that the percentage says nothing: less than a third of the difference, or
    /// negligible in the unit of the metric. Then the difference is shown.
    pub is_parent_near_zero: bool,
    /// Whether the child is better; `None` where both are equal or the metric has no better direction.
    pub better: Option<bool>,
}

impl Improvement {
    /// Compares two finite values of one metric.
    pub fn of(metric: &str, parent: f64, child: f64) -> Self {
        let difference = child - parent;
        let percent = 100.0 * difference / parent.abs();
        let is_parent_near_zero = parent == 0.0
            || parent.abs() < Unit::of(metric).negligible()
            || parent.abs() < difference.abs() / GREATEST_MULTIPLE;
        let better = match Direction::of(metric) {
            Direction::More => Some(child > parent),
            Direction::Less => Some(child < parent),
            Direction::Neither => None,
        };
        Self {
            parent,
            child,
            difference,
            percent: percent.is_finite().then_some(percent),
            is_parent_near_zero,
            better: better.filter(|_| child.partial_cmp(&parent) != Some(Ordering::Equal)),
        }
    }

    /// `better`, `worse`, or the empty text.
    pub fn verdict(&self) -> &'static str {
        match self.better {
            Some(true) => "better",
            Some(false) => "worse",
            None => "",
        }
    }

    /// The change of the metric with this name: `+15.72%`, or the difference in its unit (`+0.0440`, `+1.20 points`) if the
    /// parent's value is near 0.
    pub fn change_text(&self, metric: &str) -> String {
        match self.percent {
            Some(percent) if !self.is_parent_near_zero => format!("{percent:+.2}%"),
            _ => Unit::of(metric).difference_text(self.difference),
        }
    }
}

/// The improvements of the result metrics that both have as finite numbers, by metric name.
pub fn improvements(
    parent: &BTreeMap<String, f64>,
    child: &BTreeMap<String, f64>,
) -> BTreeMap<String, Improvement> {
    child
        .iter()
        .filter(|(metric, _)| COMPARED.iter().any(|prefix| metric.starts_with(prefix)))
        .filter_map(|(metric, child)| {
            let parent = parent.get(metric)?;
            (parent.is_finite() && child.is_finite())
                .then(|| (metric.clone(), Improvement::of(metric, *parent, *child)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn direction_is_known_under_every_prefix() {
        for (metric, expected) in [
            ("portfolio/sharpe_ratio", Direction::More),
            ("evaluation/best_mean_reward", Direction::More),
            ("portfolio/max_drawdown", Direction::Less),
            ("final/std_reward", Direction::Less),
            ("improvement_portfolio/max_drawdown", Direction::Less),
            ("portfolio/exposure_time", Direction::Neither),
            ("total_timesteps", Direction::Neither),
            ("my/score", Direction::More),
        ] {
            assert_eq!(Direction::of(metric), expected, "{metric}");
        }
    }

    #[test]
    fn improvement_is_relative_to_the_size_of_the_parent() {
        let improvement = Improvement::of("final/mean_reward", -2.0, -1.0);
        assert_eq!(improvement.percent, Some(50.0));
        assert_eq!(improvement.better, Some(true));
        assert_eq!(improvement.change_text("final/mean_reward"), "+50.00%");
    }

    #[test]
    fn less_drawdown_is_better() {
        let improvement = Improvement::of("portfolio/max_drawdown", 0.2, 0.1);
        assert_eq!(improvement.change_text("portfolio/max_drawdown"), "-50.00%");
        assert_eq!(improvement.better, Some(true));
    }

    #[test]
    fn improvement_from_zero_has_no_percentage() {
        let improvement = Improvement::of("portfolio/sharpe_ratio", 0.0, 1.0);
        assert_eq!(improvement.percent, None);
        assert_eq!(improvement.change_text("portfolio/sharpe_ratio"), "+1.00");
    }

    #[test]
    fn improvement_over_a_value_near_zero_is_shown_as_a_difference() {
        for (metric, parent, child, expected) in [
            ("final/mean_reward", 0.0012, 0.0451, "+0.0439"),
            ("final/mean_reward", -0.001, 0.5, "+0.5010"),
            ("final/mean_reward", 0.1, 0.39, "+290.00%"),
            ("final/mean_reward", 0.1, 0.401, "+0.3010"),
            ("final/mean_reward", 1e-300, 1e300, "+"),
            ("portfolio/total_return", 0.0004, 0.0005, "+0.01 points"),
            ("portfolio/total_return", 0.012, -0.03, "-4.20 points"),
            ("portfolio/total_return", 0.05, 0.06, "+20.00%"),
            ("portfolio/sharpe_ratio", 0.02, 0.03, "+0.01"),
            ("portfolio/sharpe_ratio", -0.5, 0.5, "+200.00%"),
            ("portfolio/total_trades", 1.0, 90.0, "+89"),
            ("final/mean_reward", 0.0, 0.0, "+0.0000"),
        ] {
            let text = Improvement::of(metric, parent, child).change_text(metric);
            assert!(text.starts_with(expected), "{metric} {parent} {child}: {text}");
        }
    }

    #[test]
    fn only_metrics_of_both_are_compared() {
        let parent = BTreeMap::from([("final/mean_reward".to_owned(), 1.0)]);
        let child = BTreeMap::from([("portfolio/win_rate".to_owned(), 0.5)]);
        assert!(improvements(&parent, &child).is_empty());
    }
}
