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
