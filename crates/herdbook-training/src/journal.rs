//! The metrics of a training on their way into the records, and the clock beside them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use herdbook_domain::{RunId, Timestamp};
use herdbook_market::CostModel;
use herdbook_ppo::{IterationStats, Policy};
use herdbook_store::{Metric, Session, StoreError, now};
use serde::{Deserialize, Serialize};

use crate::evaluation::score_episodes;
use crate::market_data::MarketData;
use crate::record::{ImprovementReport, training_metrics};
use crate::report::Baselines;
use crate::{Observer, Progress};

/// Metrics are written together, once a second at most: curves live in the UI at no cost to speed.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);
/// The policy is evaluated on the validation window about this often during a training.
const N_EVALUATIONS: u64 = 20;

/// The best mean reward on the validation window so far.
pub(crate) const BEST: &str = "evaluation/best_mean_reward";

/// Collects metrics and writes them in batches.
pub(crate) struct Journal<'a> {
    store: &'a Session,
    run_id: &'a RunId,
    /// Timesteps behind the parent: steps of a child go on from there.
    previous: u64,
    began: Instant,
    flushed: Instant,
    evaluated: u64,
    best_mean_reward: Option<f64>,
    latest_mean_reward: Option<f64>,
    /// Timesteps and mean reward of each evaluation.
    learning: Vec<(u64, f64)>,
    pending: Vec<Metric>,
    /// Whether the store did not take them the last time.
    is_held_up: bool,
    /// Seconds of training before this process took it up.
    seconds_before: f64,
    /// The last step of each metric that is in the records from before a crash.
    logged: BTreeMap<String, i64>,
}

/// What a training that is taken up again needs to know of its journal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct JournalState {
    previous: u64,
    evaluated: u64,
    best_mean_reward: Option<f64>,
    latest_mean_reward: Option<f64>,
    learning: Vec<(u64, f64)>,
    seconds: f64,
    /// Metrics that had not been written yet: name, value, time in milliseconds, step.
    pending: Vec<(String, f64, i64, i64)>,
}

impl<'a> Journal<'a> {
    pub(crate) fn new(store: &'a Session, run_id: &'a RunId, previous: u64) -> Self {
        let now = Instant::now();
        Self {
            store,
            run_id,
            previous,
            began: now,
            flushed: now,
            evaluated: 0,
            best_mean_reward: None,
            latest_mean_reward: None,
            learning: Vec::new(),
            pending: Vec::new(),
            is_held_up: false,
            seconds_before: 0.0,
            logged: BTreeMap::new(),
        }
    }

    /// Goes on with a journal. What a crashed process had logged beyond it is in the records already, and is the
    /// same as what comes now: it is not logged twice.
    pub(crate) fn restore(
        store: &'a Session,
        run_id: &'a RunId,
        state: JournalState,
        logged: BTreeMap<String, i64>,
    ) -> Self {
        let mut journal = Self {
            evaluated: state.evaluated,
            best_mean_reward: state.best_mean_reward,
            latest_mean_reward: state.latest_mean_reward,
            learning: state.learning,
            seconds_before: state.seconds,
            logged,
            ..Self::new(store, run_id, state.previous)
        };
        for (key, value, at, step) in state.pending {
            journal.push(Metric { key, value, at: Timestamp::from_millis(at), step });
        }
        journal
    }

    pub(crate) fn state(&self) -> JournalState {
        let pending = self.pending.iter();
        JournalState {
            previous: self.previous,
            evaluated: self.evaluated,
            best_mean_reward: self.best_mean_reward,
            latest_mean_reward: self.latest_mean_reward,
            learning: self.learning.clone(),
            seconds: self.seconds(),
            pending: pending.map(|m| (m.key.clone(), m.value, m.at.millis(), m.step)).collect(),
        }
    }

    pub(crate) fn steps_per_second(&self, trained: u64) -> f64 {
        trained as f64 / self.seconds().max(1e-9)
    }

    fn seconds(&self) -> f64 {
        self.seconds_before + self.began.elapsed().as_secs_f64()
    }

    pub(crate) fn iteration(
        &mut self,
        trained: u64,
        stats: &IterationStats,
        coach: &[(&'static str, f64)],
    ) {
        let metrics = training_metrics(stats, self.steps_per_second(trained));
        for (name, value) in metrics.iter().chain(coach) {
            self.add(name, *value, trained);
        }
    }

    /// After each twentieth of the training, and at its end.
    pub(crate) fn evaluation_is_due(&self, trained: u64, target: u64) -> bool {
        trained >= target || (trained - self.evaluated) * N_EVALUATIONS >= target
    }

    /// Evaluates the policy on the validation window; says whether it is the best so far.
    pub(crate) fn evaluate(
        &mut self,
        trained: u64,
        market: &MarketData,
        costs: CostModel,
        policy: &Policy,
    ) -> bool {
        let scores = score_episodes(&market.tape, &market.split.validation, costs, policy);
        let best_before = self.best_mean_reward.unwrap_or(f64::NEG_INFINITY);
        let best = best_before.max(scores.mean_reward);
        self.evaluated = trained;
        self.best_mean_reward = Some(best);
        self.latest_mean_reward = Some(scores.mean_reward);
        self.learning.push((self.previous + trained, scores.mean_reward));
        self.add("evaluation/mean_reward", scores.mean_reward, trained);
        self.add("evaluation/std_reward", scores.std_reward, trained);
        self.add(BEST, best, trained);
        scores.mean_reward > best_before
    }

    /// Adds what is known at the end. `evaluation/*` was logged by the last evaluation.
    pub(crate) fn finish(
        &mut self,
        trained: u64,
        metrics: &BTreeMap<String, f64>,
        improvement: Option<&ImprovementReport>,
        baselines: &Baselines,
    ) {
        for (name, value) in metrics.iter().filter(|(name, _)| !name.starts_with("evaluation/")) {
            self.add(name, *value, trained);
        }
        for (name, value) in baselines.to_metrics() {
            self.add(&name, value, trained);
        }
        for (name, value) in improvement.map(ImprovementReport::to_metrics).unwrap_or_default() {
            self.add(&name, value, trained);
        }
        self.add("previous_timesteps", self.previous as f64, trained);
        self.add("current_run_timesteps", trained as f64, trained);
        self.add("total_timesteps", (self.previous + trained) as f64, trained);
    }

    /// Timesteps, those behind the parent included, and mean reward of each evaluation.
    pub(crate) fn learning(&self) -> &[(u64, f64)] {
        &self.learning
    }

    /// The best mean reward on the validation window so far. The model that is registered is the last one; this
    /// one's is `best_model_<timesteps>.zip` beside it.
    pub(crate) fn best(&self) -> Option<(String, f64)> {
        Some((BEST.to_owned(), self.best_mean_reward?))
    }

    /// Writes what there is, once a second. What the store does not take now is kept for the next time, and said once:
    /// a store that is busy, away or out of sorts does not end a training.
    pub(crate) fn flush_if_due(&mut self, observer: &mut dyn Observer) -> Result<(), StoreError> {
        if self.flushed.elapsed() < FLUSH_INTERVAL {
            return Ok(());
        }
        self.flushed = Instant::now();
        match self.store.log_metrics(self.run_id, &self.pending) {
            Ok(()) => {
                self.pending.clear();
                self.is_held_up = false;
            }
            Err(
                error @ (StoreError::Busy { .. }
                | StoreError::Unreachable { .. }
                | StoreError::NotMlflow { .. }
                | StoreError::ServerRefused { .. }),
            ) => {
                if !std::mem::replace(&mut self.is_held_up, true) {
                    observer
                        .notice(&format!("metrics are kept until they can be written: {error}"));
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    pub(crate) fn take_pending(&mut self) -> Vec<Metric> {
        std::mem::take(&mut self.pending)
    }

    pub(crate) fn progress(&self, trained: u64, target: u64, stats: &IterationStats) -> Progress {
        Progress {
            trained,
            target,
            steps_per_second: self.steps_per_second(trained),
            mean_episode_reward: stats.mean_episode_reward(),
            validation_reward: self.latest_mean_reward,
        }
    }

    /// Undefined is not logged.
    fn add(&mut self, name: &str, value: f64, trained: u64) {
        if value.is_finite() {
            self.push(Metric {
                key: name.to_owned(),
                value,
                at: now(),
                step: i64::try_from(self.previous + trained).unwrap_or(i64::MAX),
            });
        }
    }

    fn push(&mut self, metric: Metric) {
        if self.logged.get(&metric.key).is_none_or(|last| metric.step > *last) {
            self.pending.push(metric);
        }
    }
}
