//! What a finished training has to tell.

use std::collections::BTreeMap;

use herdbook_domain::{Departure, Honesty, ModelType, RunId, Timeframe, Windows};
use herdbook_market::metrics::Performance;
use herdbook_store::{Registered, Store, VersionRecord};

use crate::observer::Observer;
use crate::results::baselines::Baselines;
use crate::results::evidence::{Deflation, Evidence, deflation};
use crate::results::improvement::ImprovementReport;

/// A finished and registered training.
#[derive(Debug, Clone)]
pub struct TrainReport {
    /// The run whose model was registered.
    pub run: RunReport,
    /// The version, and what became of the parent.
    pub registered: Registered,
    /// The result among all trials; `None` where it is the only one, or undefined.
    pub deflation: Option<Deflation>,
}

impl TrainReport {
    /// Sets the run's result among all trials there are now. The model is registered: trials that cannot be read
    /// are announced, no error.
    pub(crate) fn new(
        store: &Store,
        run: RunReport,
        registered: Registered,
        observer: &mut dyn Observer,
    ) -> Self {
        let Windows { symbol, timeframe, test, .. } = &run.windows;
        let deflation = deflation(store, symbol, *timeframe, *test, &run.performance)
            .unwrap_or_else(|error| {
                observer.notice(&format!("the other trials cannot be read: {error}"));
                None
            });
        Self { run, registered, deflation }
    }
}

/// A finished training.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// The run.
    pub run_id: RunId,
    /// The model's type.
    pub model_type: ModelType,
    /// Length of one bar.
    pub timeframe: Timeframe,
    /// The parent as it was before.
    pub parent: Option<VersionRecord>,
    /// How far the parent departs from what was asked.
    pub departure: Departure,
    /// Training steps behind the parent.
    pub previous_timesteps: u64,
    /// Training steps of this run.
    pub trained_timesteps: u64,
    /// `evaluation/*`, `final/*` and `portfolio/*`; undefined ones are absent.
    pub metrics: BTreeMap<String, f64>,
    /// The test window in one pass.
    pub performance: Performance,
    /// The same window without a model.
    pub baselines: Baselines,
    /// How sure the result on the test window is, were it the only one.
    pub evidence: Evidence,
    /// Beside the parent.
    pub improvement: Option<ImprovementReport>,
    /// Whether the test window was free of seen bars.
    pub honesty: Honesty,
    /// What was trained, validated and tested on.
    pub windows: Windows,
    /// Basis points of traded notional charged per side.
    pub cost_bps: f64,
    /// Seed of everything random.
    pub seed: u64,
    /// Timesteps a second, evaluations included.
    pub steps_per_second: f64,
}

impl RunReport {
    /// Where the model is found.
    pub fn model_path(&self) -> String {
        self.run_id.model_path(self.timeframe)
    }
}
