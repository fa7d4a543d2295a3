//! Several trainings of one request: over seeds, or over the folds of a walk-forward.
//!
//! Each member is a run of its own, FINISHED without a version, and counts as a trial. One of them is registered in
//! the end: of seeds the best on the validation window, of folds the last one, which knows the newest bars.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use herdbook_domain::tags::Tags;
use herdbook_domain::{Honesty, RunId};
use herdbook_market::{MarketError, folds};
use herdbook_store::{RunRecord, Session, new_id};
use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::market_data::MarketData;
use crate::patience::patiently;
use crate::plan::Plan;
use crate::report::{RunReport, TrainReport};
use crate::request::{PreparedTraining, TrainRequest};
use crate::resume::check_same_bars;
use crate::train::{Trained, Training, clean_up, in_run};
use crate::{Observer, TrainingError};

/// What seeds are chosen by: the final model's mean reward on the validation window.
pub const CHOSEN_BY: &str = "evaluation/mean_reward";
/// Run tag: all members of one sweep have the same value.
pub(crate) const SWEEP_TAG: &str = "herdbook.sweep";
/// Run tag: the member's number, from 0 on.
const INDEX_TAG: &str = "herdbook.sweep_index";
/// MLflow nests a run under the one that this tag names.
const MLFLOW_PARENT: &str = "mlflow.parentRunId";

/// What varies between the members of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SweepKind {
    /// The seed, counted up from the one asked for.
    Seeds,
    /// The windows.
    WalkForward,
}

/// A run's place in a sweep.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Membership {
    /// What varies.
    pub kind: SweepKind,
    /// Number of members.
    pub n_members: NonZeroUsize,
    /// This one's number, from 0 on.
    pub index: usize,
    /// What ties the members together.
    pub(crate) group: String,
}

/// A sweep whose input is sound.
#[derive(Debug)]
pub struct PreparedSweep {
    pub(crate) kind: SweepKind,
    group: String,
    members: Vec<PreparedTraining>,
}

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
pub struct Spread {
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
    pub fn spread(&self, metric: &str) -> Option<Spread> {
        let honest = self.members.iter().filter(|run| run.honesty != Honesty::Contaminated);
        Spread::of(honest.filter_map(|run| run.metrics.get(metric).copied()))
    }

    /// How many members are contaminated.
    pub fn n_contaminated(&self) -> usize {
        self.members.iter().filter(|run| run.honesty == Honesty::Contaminated).count()
    }
}

impl Spread {
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

impl PreparedSweep {
    /// Prepares each member from what the request asks of all.
    pub fn new(
        request: TrainRequest,
        kind: SweepKind,
        n_members: NonZeroUsize,
    ) -> Result<Self, TrainingError> {
        Self::of_group(request, kind, n_members, new_id())
    }

    fn of_group(
        request: TrainRequest,
        kind: SweepKind,
        n_members: NonZeroUsize,
        group: String,
    ) -> Result<Self, TrainingError> {
        let first = request.prepare()?;
        let boundaries = match kind {
            SweepKind::Seeds => vec![first.request.boundaries; n_members.get()],
            SweepKind::WalkForward => folds(&first.market.tape.bars, n_members.get())?,
        };
        let mut members = Vec::with_capacity(boundaries.len());
        for (index, boundaries) in boundaries.into_iter().enumerate() {
            let mut request = first.request.clone();
            // One copy of the file is enough.
            request.data.bytes = Vec::new();
            request.boundaries = boundaries;
            if kind == SweepKind::Seeds {
                request.seed = request.seed.wrapping_add(index as u64);
            }
            request.membership = Some(Membership { kind, n_members, index, group: group.clone() });
            let tape = Arc::clone(&first.market.tape);
            let n_bars = tape.bars.len();
            let market = MarketData::split(tape, boundaries).map_err(|error| match error {
                TrainingError::Market(MarketError::WindowTooShort { .. }) => {
                    MarketError::TooManyFolds { n_folds: n_members.get(), n_bars }.into()
                }
                error => error,
            })?;
            let market = Arc::new(market);
            let (costs, n_threads) = (first.costs, first.n_threads);
            members.push(PreparedTraining { request, market, costs, n_threads });
        }
        Ok(Self { kind, group, members })
    }

    /// The sweep that a member belongs to.
    pub(crate) fn around(
        member: &Membership,
        mut request: TrainRequest,
    ) -> Result<Self, TrainingError> {
        if member.kind == SweepKind::Seeds {
            request.seed = request.seed.wrapping_sub(member.index as u64);
        }
        request.membership = None;
        Self::of_group(request, member.kind, member.n_members, member.group.clone())
    }

    /// Trains each member on this many threads instead of one, to the same model.
    #[must_use]
    pub fn with_threads(mut self, n_threads: NonZeroUsize) -> Self {
        for member in &mut self.members {
            member.n_threads = n_threads;
        }
        self
    }

    /// What the bars are and how they were read.
    pub fn market(&self) -> &MarketData {
        self.members[0].market()
    }

    /// Timesteps of all members.
    pub fn timesteps(&self) -> u64 {
        self.members.iter().map(|member| member.request.timesteps).sum()
    }
}

/// Trains every member that is not finished yet, and registers one.
///
/// # Errors
/// Nothing is registered then. Members that are finished stay so, as trials; the others can be taken up again.
pub fn train_sweep(
    store: &Session,
    sweep: &PreparedSweep,
    observer: &mut dyn Observer,
    cancelled: &AtomicBool,
) -> Result<SweepReport, TrainingError> {
    for run in known_members(store, &sweep.group)?.values() {
        check_same_bars(run, sweep.market())?;
    }
    let mut plans = Vec::with_capacity(sweep.members.len());
    for member in &sweep.members {
        plans.push(Plan::new(store, member, observer)?);
    }
    let (mut runs, mut trained) = (Vec::new(), Vec::new());
    for (index, plan) in plans.iter().enumerate() {
        let shown = format!("{} of {}", index + 1, plans.len());
        let member = Member { store, plan, index, first: runs.first().cloned(), shown };
        // Looked up anew: another process may have taken the sweep up meanwhile.
        let known = known_members(store, &sweep.group)?;
        let done = member.finish(known.get(&index), observer, cancelled)?;
        runs.push(done.report.run_id.clone());
        trained.push(done);
    }
    let chosen = choose(sweep.kind, &trained);
    let registration = &trained[chosen].finish.registration;
    let registered = patiently(observer, cancelled, || store.register_finished(registration))?;
    let members: Vec<RunReport> = trained.into_iter().map(|trained| trained.report).collect();
    // Until now they told what had been asked for, to whoever takes the sweep up.
    for member in &members {
        clean_up(store, member, observer);
    }
    let report = TrainReport::new(store, members[chosen].clone(), registered, observer);
    Ok(SweepReport { kind: sweep.kind, members, chosen, report })
}

fn known_members(
    store: &Session,
    group: &str,
) -> Result<BTreeMap<usize, RunRecord>, TrainingError> {
    let runs = store.runs_with_tag(SWEEP_TAG, group)?;
    let index = |run: &RunRecord| run.tags.get(INDEX_TAG)?.parse().ok();
    Ok(runs.into_iter().filter_map(|run| Some((index(&run)?, run))).collect())
}

/// The best seed, the earlier where two are equal; the last fold.
fn choose(kind: SweepKind, trained: &[Trained]) -> usize {
    let score = |idx: usize| {
        let value = trained[idx].report.metrics.get(CHOSEN_BY).copied();
        value.unwrap_or(f64::NEG_INFINITY)
    };
    match kind {
        SweepKind::Seeds => (0..trained.len())
            .reduce(|best, idx| if score(idx) > score(best) { idx } else { best })
            .unwrap_or(0),
        SweepKind::WalkForward => trained.len() - 1,
    }
}

/// One member on its way.
struct Member<'a> {
    store: &'a Session,
    plan: &'a Plan<'a>,
    index: usize,
    /// The run of the first member.
    first: Option<RunId>,
    /// Its place, for people.
    shown: String,
}

impl Member<'_> {
    /// Brings the member to its end, from wherever it is.
    fn finish(
        &self,
        known: Option<&RunRecord>,
        observer: &mut dyn Observer,
        cancelled: &AtomicBool,
    ) -> Result<Trained, TrainingError> {
        let Self { store, plan, shown, .. } = self;
        let Some(run) = known else {
            observer.stage(&format!("training {shown}"));
            let run_id = store.start_run(&self.run_start())?;
            return self.train(&run_id, None, observer, cancelled);
        };
        plan.check_same_as(run)?;
        if run.status == herdbook_domain::RunStatus::Finished {
            return Training { store, plan, run_id: &run.run_id }.recall();
        }
        let checkpoint = Checkpoint::newest(store, &run.run_id, plan.timeframe(), observer)?;
        store.resume_run(&run.run_id, &plan.request.model)?;
        observer.stage(&format!("going on with {shown}"));
        self.train(&run.run_id, checkpoint, observer, cancelled)
    }

    fn run_start(&self) -> herdbook_store::RunStart {
        let mut start = self.plan.run_start();
        let group = self.plan.request.membership.as_ref().map(|member| member.group.clone());
        start.tags.extend(Tags::from([
            (SWEEP_TAG.to_owned(), group.unwrap_or_default()),
            (INDEX_TAG.to_owned(), self.index.to_string()),
        ]));
        start.tags.extend(self.first.iter().map(|id| (MLFLOW_PARENT.to_owned(), id.to_string())));
        start
    }

    fn train(
        &self,
        run_id: &RunId,
        checkpoint: Option<Checkpoint>,
        observer: &mut dyn Observer,
        cancelled: &AtomicBool,
    ) -> Result<Trained, TrainingError> {
        let Self { store, plan, .. } = self;
        in_run(store, plan, run_id, observer, |observer| {
            let training = Training { store, plan, run_id };
            let trained = training.run(checkpoint, observer, cancelled)?;
            let finish = &trained.finish;
            let (metrics, tags) = (&finish.metrics, &finish.run_tags);
            patiently(observer, cancelled, || {
                store.finish_unregistered(run_id, &plan.request.model, metrics, tags)
            })?;
            Ok(trained)
        })
    }
}
