//! Buffers the metrics of a training and writes them to the store in batches.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use herdbook_domain::{RunId, Timestamp};
use herdbook_market::CostModel;
use herdbook_ppo::{IterationStats, Policy};
use herdbook_store::{Metric, Session, StoreError, now};
use serde::{Deserialize, Serialize};

use crate::environment::market_data::MarketData;
use crate::observer::{Observer, Progress};
use crate::request::train_request::RegisteredPolicy;
use crate::results::measure::score_episodes;
use crate::run::training_metrics::training_metrics;

/// Metrics are written at most once a second, so that the UI shows live curves without slowing the training.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);
/// Approximate number of evaluations on the validation window during a training.
const N_EVALUATIONS: u64 = 20;

/// Metric: the best mean reward on the validation window so far.
pub(crate) const BEST: &str = "evaluation/best_mean_reward";
/// Metric: mean reward on the validation window of the policy at the end of the training, if the best one is registered. Then
/// the last values of `evaluation/mean_reward` and `evaluation/std_reward` are those of the registered policy.
pub(crate) const LAST: &str = "evaluation/last_mean_reward";
/// Metric: timesteps behind the registered policy, including those of the parent.
pub(crate) const REGISTERED_AT: &str = "registered_timesteps";

/// Metrics that are not written yet, the evaluations so far, and the time spent.
pub(crate) struct MetricLog<'a> {
    store: &'a Session,
    run_id: &'a RunId,
    /// Timesteps of the parent. Steps of logged metrics count from there.
    previous: u64,
    began: Instant,
    flushed: Instant,
    evaluated: u64,
    best_mean_reward: Option<f64>,
    /// Standard deviation that belongs to the best mean reward.
    best_std_reward: Option<f64>,
    latest_mean_reward: Option<f64>,
    /// Timesteps, including the parent's, and mean reward of each evaluation.
    evaluations: Vec<(u64, f64)>,
    pending: Vec<Metric>,
    /// Whether the last write failed, so that the next failure is not reported again.
    is_delayed: bool,
    /// Seconds of training before this process resumed it.
    seconds_before: f64,
    /// Last step of each metric that a crashed process had written.
    logged: BTreeMap<String, i64>,
}

/// The part of a [`MetricLog`] that a checkpoint keeps. Serialized names are part of the file format.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MetricLogState {
    previous: u64,
    evaluated: u64,
    best_mean_reward: Option<f64>,
    /// Absent in checkpoints of an older herdbook, whose trainings register the last policy.
    #[serde(default)]
    best_std_reward: Option<f64>,
    latest_mean_reward: Option<f64>,
    #[serde(rename = "learning")]
    evaluations: Vec<(u64, f64)>,
    seconds: f64,
    /// Metrics that were not written yet: name, value, time in milliseconds since the Unix epoch, step.
    pending: Vec<(String, f64, i64, i64)>,
}

/// The moment of an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// During the training, or at the end of one that registers its last policy.
    Running,
    /// At the end of a training that registers its best policy.
    EndOfBest,
}

impl<'a> MetricLog<'a> {
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
            best_std_reward: None,
            latest_mean_reward: None,
            evaluations: Vec::new(),
            pending: Vec::new(),
            is_delayed: false,
            seconds_before: 0.0,
            logged: BTreeMap::new(),
        }
    }

    /// Continues from a checkpoint. A crashed process may have written metrics after its last checkpoint; `logged` holds
    /// their last steps. The resumed training computes the same values again, so they are not written twice.
    pub(crate) fn restore(
        store: &'a Session,
        run_id: &'a RunId,
        state: MetricLogState,
        logged: BTreeMap<String, i64>,
    ) -> Self {
        let mut metric_log = Self {
            evaluated: state.evaluated,
            best_mean_reward: state.best_mean_reward,
            best_std_reward: state.best_std_reward,
            latest_mean_reward: state.latest_mean_reward,
            evaluations: state.evaluations,
            seconds_before: state.seconds,
            logged,
            ..Self::new(store, run_id, state.previous)
        };
        for (key, value, at, step) in state.pending {
            metric_log.push(Metric { key, value, at: Timestamp::from_millis(at), step });
        }
        metric_log
    }

    pub(crate) fn state(&self) -> MetricLogState {
        let pending = self.pending.iter();
        MetricLogState {
            previous: self.previous,
            evaluated: self.evaluated,
            best_mean_reward: self.best_mean_reward,
            best_std_reward: self.best_std_reward,
            latest_mean_reward: self.latest_mean_reward,
            evaluations: self.evaluations.clone(),
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
        enhancer_metrics: &[(&'static str, f64)],
    ) {
        let metrics = training_metrics(stats, self.steps_per_second(trained));
        for (name, value) in metrics.iter().chain(enhancer_metrics) {
            self.add(name, *value, trained);
        }
    }

    /// Whether a twentieth of the training has passed since the last evaluation, or the training is at its end.
    pub(crate) fn evaluation_is_due(&self, trained: u64, target: u64) -> bool {
        trained >= target || (trained - self.evaluated) * N_EVALUATIONS >= target
    }

    /// Evaluates the policy on the validation window; returns whether it is the best so far. At the end of a training that
    /// registers its best policy, the metrics get the values of that one.
    pub(crate) fn evaluate(
        &mut self,
        trained: u64,
        market: &MarketData,
        costs: CostModel,
        policy: &Policy,
        phase: Phase,
    ) -> bool {
        let scores = score_episodes(&market.tape, &market.split.validation, costs, policy);
        let best_before = self.best_mean_reward.unwrap_or(f64::NEG_INFINITY);
        let is_best = scores.mean_reward > best_before;
        if is_best {
            self.best_mean_reward = Some(scores.mean_reward);
            self.best_std_reward = Some(scores.std_reward);
        }
        self.evaluated = trained;
        self.latest_mean_reward = Some(scores.mean_reward);
        self.evaluations.push((self.previous + trained, scores.mean_reward));
        let latest = (scores.mean_reward, scores.std_reward);
        let best = self.best_mean_reward.zip(self.best_std_reward);
        let (mean_reward, std_reward) = match (phase, best) {
            (Phase::EndOfBest, Some(best)) => best,
            _ => latest,
        };
        self.add("evaluation/mean_reward", mean_reward, trained);
        self.add("evaluation/std_reward", std_reward, trained);
        self.add(BEST, self.best_mean_reward.unwrap_or(f64::NAN), trained);
        if phase == Phase::EndOfBest {
            self.add(LAST, scores.mean_reward, trained);
        }
        is_best
    }

    /// Adds the final metrics, except `evaluation/*`, which the last evaluation has logged.
    pub(crate) fn finish(&mut self, trained: u64, metrics: &BTreeMap<String, f64>) {
        for (name, value) in metrics.iter().filter(|(name, _)| !name.starts_with("evaluation/")) {
            self.add(name, *value, trained);
        }
    }

    /// Timesteps, including the parent's, and mean reward of each evaluation.
    pub(crate) fn evaluations(&self) -> &[(u64, f64)] {
        &self.evaluations
    }

    /// The metrics [`BEST`] and, if the best policy is registered, [`LAST`].
    pub(crate) fn best_and_last(&self, register: RegisteredPolicy) -> Vec<(String, f64)> {
        let last = self.latest_mean_reward.filter(|_| register == RegisteredPolicy::Best);
        let both = [(BEST, self.best_mean_reward), (LAST, last)];
        both.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    /// Timesteps, including the parent's, of the first evaluation with the best mean reward; `None` before the first one.
    pub(crate) fn best_timesteps(&self) -> Option<u64> {
        let best = self.best_mean_reward?;
        let is_best = |(_, mean_reward): &&(u64, f64)| mean_reward.to_bits() == best.to_bits();
        self.evaluations.iter().find(is_best).map(|(timesteps, _)| *timesteps)
    }

    /// Writes the pending metrics if a second has passed. If the store is locked or unreachable, they are kept for the next
    /// write and the observer is told once.
    ///
    /// # Errors
    /// Any other [`StoreError`].
    pub(crate) fn flush_if_due(&mut self, observer: &mut dyn Observer) -> Result<(), StoreError> {
        if self.flushed.elapsed() < FLUSH_INTERVAL {
            return Ok(());
        }
        self.flushed = Instant::now();
        match self.store.log_metrics(self.run_id, &self.pending) {
            Ok(()) => {
                self.pending.clear();
                self.is_delayed = false;
            }
            Err(
                error @ (StoreError::Busy { .. }
                | StoreError::StoreBusy { .. }
                | StoreError::Unreachable { .. }
                | StoreError::NotMlflow { .. }
                | StoreError::ServerRefused { .. }),
            ) => {
                if !std::mem::replace(&mut self.is_delayed, true) {
                    observer.notice(&format!(
                        "metrics cannot be written now and are kept in memory: {error}"
                    ));
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

    /// Adds a metric, unless its value is not finite.
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use herdbook_domain::{Actor, Channel, ExperimentName, ModelName, Origin, Timeframe};
    use herdbook_store::{Location, Missing, OpenOptions, RunStart, Store};
    use rusqlite::Connection;

    use super::*;
    use crate::observer::tests::Notices;

    fn store_in(folder: &Path) -> (Session, RunId) {
        let options = OpenOptions {
            missing: Missing::Create,
            busy_timeout: Duration::from_millis(1),
            ..OpenOptions::default()
        };
        let store = Store::open(Location::resolve(None, folder).unwrap(), &options).unwrap();
        let store = store.session(Actor::parse("tester").unwrap(), Channel::Cli);
        let start = RunStart {
            name: None,
            user_tags: BTreeMap::new(),
            experiment: ExperimentName::parse("experiment").unwrap(),
            model: ModelName::parse("model").unwrap(),
            origin: Origin { timeframe: Timeframe::Hour1, enhanced: None },
            params: BTreeMap::new(),
            tags: BTreeMap::new(),
        };
        let run_id = store.start_run(&start).unwrap();
        (store, run_id)
    }

    /// Flushes as if the last write was long ago.
    fn flush(log: &mut MetricLog<'_>, observer: &mut Notices) -> Result<(), StoreError> {
        log.flushed = log.flushed.checked_sub(2 * FLUSH_INTERVAL).unwrap();
        log.flush_if_due(observer)
    }

    #[test]
    fn metrics_are_kept_while_the_store_is_locked_and_written_later() {
        let folder = tempfile::tempdir().unwrap();
        let (store, run_id) = store_in(folder.path());
        let mut log = MetricLog::new(&store, &run_id, 1_000);
        let mut notices = Notices::default();
        let other = Connection::open(folder.path().join("mlflow.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        for trained in [1, 2] {
            log.add("training/loss", 0.5, trained);
            flush(&mut log, &mut notices).unwrap();
        }
        assert_eq!(log.pending.len(), 2);
        assert_eq!(notices.0.len(), 1, "a store that stays locked is reported once");
        other.execute_batch("ROLLBACK").unwrap();
        flush(&mut log, &mut notices).unwrap();
        assert!(log.pending.is_empty());
        let logged = store.logged_steps(&run_id).unwrap();
        assert_eq!(logged["training/loss"], 1_002, "steps continue after the parent's timesteps");
        let sql = "SELECT count(*) FROM metrics WHERE key = 'training/loss'";
        let n_written: i64 = other.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(n_written, 2);
    }

    #[test]
    fn other_errors_of_the_store_end_the_training() {
        let folder = tempfile::tempdir().unwrap();
        let (store, run_id) = store_in(folder.path());
        let mut log = MetricLog::new(&store, &run_id, 0);
        let model = ModelName::parse("model").unwrap();
        store.end_run(&run_id, &model, herdbook_store::UnfinishedEnd::Killed, "test").unwrap();
        log.add("training/loss", 0.5, 1);
        flush(&mut log, &mut Notices::default()).unwrap_err();
    }

    #[test]
    fn restored_log_writes_nothing_twice_and_keeps_pending_metrics() {
        let folder = tempfile::tempdir().unwrap();
        let (store, run_id) = store_in(folder.path());
        let mut before = MetricLog::new(&store, &run_id, 100);
        before.add("a", 1.0, 10);
        before.add("b", 2.0, 10);
        before.best_mean_reward = Some(0.5);
        let state = serde_json::to_string(&before.state()).unwrap();
        // The crashed process had written `a` up to step 120, but `b` never.
        let logged = BTreeMap::from([("a".to_owned(), 120)]);
        let state = serde_json::from_str(&state).unwrap();
        let mut after = MetricLog::restore(&store, &run_id, state, logged);
        for trained in [15, 20, 25] {
            after.add("a", 1.0, trained);
        }
        let pending = after.take_pending();
        let written: Vec<(&str, i64)> =
            pending.iter().map(|metric| (metric.key.as_str(), metric.step)).collect();
        assert_eq!(written, [("b", 110), ("a", 125)]);
        assert_eq!(after.best_and_last(RegisteredPolicy::Last), [(BEST.to_owned(), 0.5)]);
    }

    #[test]
    fn undefined_values_are_not_logged() {
        let folder = tempfile::tempdir().unwrap();
        let (store, run_id) = store_in(folder.path());
        let mut log = MetricLog::new(&store, &run_id, 0);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            log.add("training/loss", value, 1);
        }
        assert!(log.take_pending().is_empty());
    }

    #[test]
    fn evaluations_are_due_twenty_times_and_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let (store, run_id) = store_in(folder.path());
        let mut log = MetricLog::new(&store, &run_id, 0);
        let mut n_due = 0;
        for trained in (64..=10_048).step_by(64) {
            if log.evaluation_is_due(trained, 10_000) {
                log.evaluated = trained;
                n_due += 1;
            }
        }
        assert_eq!((n_due, log.evaluated), (20, 10_048));
        // A rollout longer than the interval is evaluated after each iteration.
        log.evaluated = 0;
        assert!(log.evaluation_is_due(2_048, 10_000));
    }
}
