//! Reports of finished trainings.

use std::collections::BTreeMap;

use herdbook_domain::{Departure, Honesty, ModelType, RunId, Timeframe, Windows};
use herdbook_market::metrics::Performance;
use herdbook_store::{Registered, Store, VersionRecord};

use crate::observer::Observer;
use crate::results::baselines::Baselines;
use crate::results::details::measured::Details;
use crate::results::details::rivals::choice::ChosenRules;
use crate::results::evidence::{Deflation, Evidence, deflated, tries_on_test};
use crate::results::improvement::ImprovementReport;

/// Report of a finished and registered training.
#[derive(Debug, Clone)]
pub struct TrainReport {
    /// The run.
    pub run: RunReport,
    /// The registered version, and the changes to its parent.
    pub registered: Registered,
    /// The Sharpe ratio deflated by all trials; `None` if there is no other trial, or if undefined.
    pub deflation: Option<Deflation>,
}

impl TrainReport {
    /// Counts the tries on the bars of the run's test window, and deflates its result by them. The model is already registered,
    /// so a failure to read the tries is only reported to the observer; the result is no evidence then.
    pub(crate) fn new(
        store: &Store,
        mut run: RunReport,
        registered: Registered,
        observer: &mut dyn Observer,
    ) -> Self {
        let tries =
            store.run(&run.run_id).and_then(|record| tries_on_test(store, &record, &run.windows));
        let deflation = match tries {
            Ok(tries) => {
                run.evidence.n_tries = tries.with(&run.run_id);
                if let Some(note) = tries.note() {
                    observer.notice(&note);
                }
                let figures = Some(&run.evidence.figures);
                deflated(store, &run.run_id, &tries, &run.performance, figures)
            }
            Err(error) => {
                let problem = format!("the other tries on these bars could not be read: {error}");
                observer.notice(&problem);
                run.evidence.uncounted = Some(problem);
                None
            }
        };
        Self { run, registered, deflation }
    }
}

/// Results of one run, registered or not.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// Id of the run.
    pub run_id: RunId,
    /// The model's type.
    pub model_type: ModelType,
    /// Length of one bar.
    pub timeframe: Timeframe,
    /// The parent as it was before the training.
    pub parent: Option<VersionRecord>,
    /// Whether a fallback was taken when the parent was chosen.
    pub departure: Departure,
    /// Timesteps that the parent was trained, including its ancestors.
    pub previous_timesteps: u64,
    /// Timesteps trained in this run.
    pub trained_timesteps: u64,
    /// The metrics `evaluation/*`, `final/*` and `portfolio/*`; undefined ones are absent.
    pub metrics: BTreeMap<String, f64>,
    /// Performance on the test window in one pass.
    pub performance: Performance,
    /// Performance of the baselines on the test window.
    pub baselines: Baselines,
    /// The result beside the other windows, simple rules and other costs, and by volatility, trend and time.
    pub details: Details,
    /// The simple rules in `details`.
    pub(crate) rules: ChosenRules,
    /// Evidence for the result on the test window; in a [`TrainReport`] as the best of all trials.
    pub evidence: Evidence,
    /// Improvement over the parent; `None` for a base model.
    pub improvement: Option<ImprovementReport>,
    /// Whether the test window has bars that the model or an ancestor was trained or validated on.
    pub honesty: Honesty,
    /// Training, validation and test window.
    pub windows: Windows,
    /// Basis points of traded notional charged per side.
    pub cost_bps: f64,
    /// Seed of everything random.
    pub seed: u64,
    /// Timesteps per second, evaluations included.
    pub steps_per_second: f64,
}

impl RunReport {
    /// Path of the model file, `<run id>/models/<timeframe>/model.zip`.
    pub fn model_path(&self) -> String {
        self.run_id.model_path(self.timeframe)
    }
}
