//! Report of a finished sweep.

use herdbook_domain::Honesty;
use serde::Serialize;

use crate::request::membership::SweepKind;
use crate::results::report::{RunReport, TrainReport};

/// Report of a finished sweep, of which one member was registered.
#[derive(Debug, Clone)]
pub struct SweepReport {
    /// The property that varied.
    pub kind: SweepKind,
    /// Results of all members, by index.
    pub members: Vec<RunReport>,
    /// Index of the registered member.
    pub chosen: usize,
    /// Report of the registered member.
    pub report: TrainReport,
}

/// Mean, sample standard deviation and extremes of a metric over the members that have it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MetricSummary {
    /// Number of members that have the metric.
    pub n: usize,
    /// Mean.
    pub mean: f64,
    /// Sample standard deviation, with divisor n − 1; `None` for a single value.
    pub std: Option<f64>,
    /// Lowest.
    pub min: f64,
    /// Highest.
    pub max: f64,
}

impl SweepReport {
    /// Statistics of a metric over the members that are not contaminated; `None` if no such member has the metric.
    pub fn summary(&self, metric: &str) -> Option<MetricSummary> {
        let honest = self.members.iter().filter(|run| run.honesty != Honesty::Contaminated);
        MetricSummary::of(honest.filter_map(|run| run.metrics.get(metric).copied()))
    }

    /// Number of contaminated members.
    pub fn n_contaminated(&self) -> usize {
        self.members.iter().filter(|run| run.honesty == Honesty::Contaminated).count()
    }
}

impl MetricSummary {
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Some(Self {
            n: values.len(),
            mean,
            std: (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()),
            min: values.iter().copied().reduce(f64::min)?,
            max: values.iter().copied().reduce(f64::max)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_deviation_is_that_of_a_sample() {
        let found = MetricSummary::of([1.0, 2.0, 3.0, 6.0].into_iter()).unwrap();
        assert_eq!((found.n, found.min, found.max), (4, 1.0, 6.0));
        assert!((found.mean - 3.0).abs() < 1e-12);
        // Sum of squares 4 + 1 + 0 + 9, divisor 3.
        assert!((found.std.unwrap() - (14.0_f64 / 3.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn single_value_has_no_deviation_and_no_value_no_summary() {
        assert_eq!(MetricSummary::of([2.0].into_iter()).unwrap().std, None);
        assert_eq!(MetricSummary::of(std::iter::empty()), None);
    }
}
