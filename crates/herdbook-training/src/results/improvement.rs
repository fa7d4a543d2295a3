//! Improvement of a child over its parent.

use std::collections::BTreeMap;

use herdbook_domain::{Improvement, improvements, window_params};

/// Origin of the parent's values that a child is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ImprovementBasis {
    /// The parent's logged values, from the same windows, bars and costs as the child's.
    SameWindows,
    /// Values of the parent's model measured again on the child's windows and costs.
    Reevaluated,
    /// The parent's logged values, from an environment unknown to herdbook: they may not be comparable.
    Logged,
}

impl ImprovementBasis {
    /// Value of the run's tag.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SameWindows => "same_windows",
            Self::Reevaluated => "reevaluated",
            Self::Logged => "logged",
        }
    }

    /// Text for reports and pictures.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::SameWindows => "both measured on the same windows",
            Self::Reevaluated => "parent measured again on the child's windows and costs",
            Self::Logged => "parent's logged values, from an unknown environment",
        }
    }

    /// Chooses the basis from the params of both runs: [`Self::SameWindows`] if all params that affect results are
    /// recorded for the parent and equal, else [`Self::Reevaluated`].
    pub(crate) fn of(parent: &BTreeMap<String, String>, child: &BTreeMap<String, String>) -> Self {
        let same = window_params::of_result()
            .all(|key| parent.contains_key(key) && parent.get(key) == child.get(key));
        if same { Self::SameWindows } else { Self::Reevaluated }
    }
}

/// Improvements of a child over its parent, and their basis.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ImprovementReport {
    /// Origin of the parent's values.
    pub basis: ImprovementBasis,
    /// Improvement by metric name.
    pub metrics: BTreeMap<String, Improvement>,
}

impl ImprovementReport {
    pub(crate) fn new(
        basis: ImprovementBasis,
        parent: &BTreeMap<String, f64>,
        child: &BTreeMap<String, f64>,
    ) -> Self {
        Self { basis, metrics: improvements(parent, child) }
    }

    /// Metrics to log: `improvement_<metric>` in percent, and `parent/<metric>` if the parent was measured again.
    pub(crate) fn to_metrics(&self) -> Vec<(String, f64)> {
        let mut metrics = Vec::new();
        for (name, improvement) in &self.metrics {
            metrics.extend(
                improvement.percent.map(|percent| (format!("improvement_{name}"), percent)),
            );
            if self.basis == ImprovementBasis::Reevaluated {
                metrics.push((format!("parent/{name}"), improvement.parent));
            }
        }
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(changed: Option<(&str, Option<&str>)>) -> BTreeMap<String, String> {
        let mut params: BTreeMap<String, String> =
            window_params::of_result().map(|key| (key.to_owned(), "same".to_owned())).collect();
        match changed {
            Some((key, Some(value))) => drop(params.insert(key.to_owned(), value.to_owned())),
            Some((key, None)) => drop(params.remove(key)),
            None => {}
        }
        params
    }

    #[test]
    fn logged_values_are_compared_only_if_every_param_of_the_result_is_equal() {
        let child = params(None);
        assert_eq!(ImprovementBasis::of(&params(None), &child), ImprovementBasis::SameWindows);
        for key in window_params::of_result() {
            for value in [Some("other"), None] {
                let parent = params(Some((key, value)));
                let basis = ImprovementBasis::of(&parent, &child);
                assert_eq!(basis, ImprovementBasis::Reevaluated, "{key} {value:?}");
            }
        }
    }

    #[test]
    fn params_missing_from_both_runs_are_not_equal() {
        let none = BTreeMap::new();
        assert_eq!(ImprovementBasis::of(&none, &none), ImprovementBasis::Reevaluated);
    }

    #[test]
    fn improvement_over_zero_has_no_percent_and_is_not_logged() {
        let values = |sharpe: f64, reward: f64| {
            BTreeMap::from([
                ("portfolio/sharpe_ratio".to_owned(), sharpe),
                ("final/mean_reward".to_owned(), reward),
            ])
        };
        let (parent, child) = (values(0.0, -2.0), values(1.0, -1.0));
        let logged = |basis| ImprovementReport::new(basis, &parent, &child).to_metrics();
        let improvement = ("improvement_final/mean_reward".to_owned(), 50.0);
        assert_eq!(logged(ImprovementBasis::SameWindows), std::slice::from_ref(&improvement));
        // A parent that was measured again has values that are recorded nowhere else.
        let reevaluated = [
            improvement,
            ("parent/final/mean_reward".to_owned(), -2.0),
            ("parent/portfolio/sharpe_ratio".to_owned(), 0.0),
        ];
        assert_eq!(logged(ImprovementBasis::Reevaluated), reevaluated);
    }
}
