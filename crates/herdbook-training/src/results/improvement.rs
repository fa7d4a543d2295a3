//! What a training records of itself: params at its start, metrics on its way, improvements at its end.

use std::collections::BTreeMap;

use herdbook_domain::{Improvement, improvements, window_params};

/// How a child's improvement over its parent was computed (spec §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ImprovementBasis {
    /// The parent's logged values come from the same windows, bars and costs.
    SameWindows,
    /// The parent was run again on the child's windows and costs.
    Reevaluated,
    /// What was logged of the parent, which comes from an environment that is not known here.
    Logged,
}

impl ImprovementBasis {
    /// The tag's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SameWindows => "same_windows",
            Self::Reevaluated => "reevaluated",
            Self::Logged => "logged",
        }
    }

    /// For people.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::SameWindows => "same windows for both",
            Self::Reevaluated => "the parent run again on the child's windows and costs",
            Self::Logged => "as logged of the parent, whose environment is not known here",
        }
    }

    /// Whether a parent's logged values can stand beside the child's.
    pub(crate) fn of(parent: &BTreeMap<String, String>, child: &BTreeMap<String, String>) -> Self {
        let same = window_params::of_result()
            .all(|key| parent.contains_key(key) && parent.get(key) == child.get(key));
        if same { Self::SameWindows } else { Self::Reevaluated }
    }
}

/// A child's improvements, and how they were computed.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ImprovementReport {
    /// How.
    pub basis: ImprovementBasis,
    /// By metric.
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

    /// `improvement_<metric>` in percent, and, where the parent was run again, its values as `parent/<metric>`.
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
