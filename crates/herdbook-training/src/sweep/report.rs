//! What a finished sweep has to tell.

use herdbook_domain::Honesty;
use serde::Serialize;

use crate::request::membership::SweepKind;
use crate::results::report::{RunReport, TrainReport};

/// A finished sweep, one member of it registered.
#[derive(Debug, Clone)]
pub struct SweepReport {
    /// What varied.
    pub kind: SweepKind,
    /// All members, in order.
    pub members: Vec<RunReport>,
    /// Which of them was registered.
    pub chosen: usize,
    /// The registered one.
    pub report: TrainReport,
}

/// Mean, sample standard deviation and extremes of a metric over the members that have it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MetricSummary {
    /// Number of members that have the metric.
    pub n: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation, divisor n − 1; `None` for a single value.
    pub std: Option<f64>,
    /// Lowest.
    pub min: f64,
    /// Highest.
    pub max: f64,
}

impl SweepReport {
    /// The spread of a metric over the members whose test window no ancestor was trained on; `None` where none has it.
    pub fn summary(&self, metric: &str) -> Option<MetricSummary> {
        let honest = self.members.iter().filter(|run| run.honesty != Honesty::Contaminated);
        MetricSummary::of(honest.filter_map(|run| run.metrics.get(metric).copied()))
    }

    /// How many members are contaminated.
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
