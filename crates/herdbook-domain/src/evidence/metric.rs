//! Metrics by name: whether more or less is better, and the improvement of a child over its parent.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::Serialize;

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

/// A metric of a child compared with its parent's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Improvement {
    /// The parent's value.
    pub parent: f64,
    /// The child's value.
    pub child: f64,
    /// `100 · (child − parent) / |parent|`; `None` for a parent of 0.
    pub percent: Option<f64>,
    /// Whether the child is better; `None` where both are equal or the metric has no better direction.
    pub better: Option<bool>,
}

impl Improvement {
    /// Compares two finite values of one metric.
    pub fn of(metric: &str, parent: f64, child: f64) -> Self {
        let percent = 100.0 * (child - parent) / parent.abs();
        let better = match Direction::of(metric) {
            Direction::More => Some(child > parent),
            Direction::Less => Some(child < parent),
            Direction::Neither => None,
        };
        Self {
            parent,
            child,
            percent: percent.is_finite().then_some(percent),
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

    /// `+15.72%`, or `from 0` where no percentage exists.
    pub fn percent_text(&self) -> String {
        match self.percent {
            Some(percent) => format!("{percent:+.2}%"),
            None => "from 0".to_owned(),
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
        assert_eq!(improvement.percent_text(), "+50.00%");
    }

    #[test]
    fn less_drawdown_is_better() {
        let improvement = Improvement::of("portfolio/max_drawdown", 0.2, 0.1);
        assert_eq!(improvement.percent_text(), "-50.00%");
        assert_eq!(improvement.better, Some(true));
    }

    #[test]
    fn improvement_from_zero_has_no_percentage() {
        let improvement = Improvement::of("portfolio/sharpe_ratio", 0.0, 1.0);
        assert_eq!(improvement.percent, None);
        assert_eq!(improvement.percent_text(), "from 0");
    }

    #[test]
    fn only_metrics_of_both_are_compared() {
        let parent = BTreeMap::from([("final/mean_reward".to_owned(), 1.0)]);
        let child = BTreeMap::from([("portfolio/win_rate".to_owned(), 0.5)]);
        assert!(improvements(&parent, &child).is_empty());
    }
}
