//! Trains the members of a sweep and registers one of them.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use herdbook_domain::tags::Tags;
use herdbook_domain::{RunId, RunStatus};
use herdbook_store::{RunRecord, RunStart, Session};

use crate::error::TrainingError;
use crate::observer::Observer;
use crate::request::membership::SweepKind;
use crate::results::report::{RunReport, TrainReport};
use crate::run::checkpoint::Checkpoint;
use crate::run::plan::{TrainingPlan, check_same_bars};
use crate::run::train::{ActiveRun, TrainedRun, clean_up, with_lease};
use crate::sweep::prepared_sweep::PreparedSweep;
use crate::sweep::report::SweepReport;

/// Metric by which the best seed is chosen: mean reward of the final model on the validation window.
pub const CHOSEN_BY: &str = "evaluation/mean_reward";
/// Run tag with the id that all members of a sweep share.
pub(crate) const SWEEP_TAG: &str = "herdbook.sweep";
/// Run tag with the index of the member, from 0 on.
const INDEX_TAG: &str = "herdbook.sweep_index";
/// Run tag of MLflow, whose UI nests the run under the run named here.
const MLFLOW_PARENT: &str = "mlflow.parentRunId";

/// Trains all members that are not finished yet, and registers one.
///
/// # Errors
/// Any [`TrainingError`]; no member is registered then. Finished members stay finished and count as trials; the others
/// can be resumed.
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
        plans.push(TrainingPlan::new(store, member, observer)?);
    }
    let (mut runs, mut trained) = (Vec::new(), Vec::new());
    for (index, plan) in plans.iter().enumerate() {
        let shown = format!("{} of {}", index + 1, plans.len());
        let member = Member { store, plan, index, first: runs.first().cloned(), shown };
        // Read again for each member, because another process may have resumed the sweep meanwhile.
        let known = known_members(store, &sweep.group)?;
        let done = member.finish(known.get(&index), observer, cancelled)?;
        runs.push(done.report.run_id.clone());
        trained.push(done);
    }
    let score = |trained: &TrainedRun| trained.report.metrics.get(CHOSEN_BY).copied();
    let chosen = choose(sweep.kind, &trained.iter().map(score).collect::<Vec<_>>());
    let registered = trained[chosen].sealing(store, observer, cancelled, |finish| {
        store.register_finished(&finish.registration, &finish.measured)
    })?;
    let members: Vec<RunReport> = trained.into_iter().map(|trained| trained.report).collect();
    // Only now: until the registration, the checkpoints hold the request with which the sweep can be resumed.
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

/// Index of the member to register, from the members' values of [`CHOSEN_BY`]: the best seed, the first of equal ones, or
/// the last fold.
fn choose(kind: SweepKind, scores: &[Option<f64>]) -> usize {
    let score = |idx: usize| scores[idx].unwrap_or(f64::NEG_INFINITY);
    match kind {
        SweepKind::Seeds => (0..scores.len())
            .reduce(|best, idx| if score(idx) > score(best) { idx } else { best })
            .unwrap_or(0),
        SweepKind::WalkForward => scores.len() - 1,
    }
}

/// One member of a sweep that is being trained.
struct Member<'a> {
    store: &'a Session,
    plan: &'a TrainingPlan<'a>,
    index: usize,
    /// The run of the first member, under which MLflow nests the others.
    first: Option<RunId>,
    /// Position for messages, such as `2 of 3`.
    shown: String,
}

impl Member<'_> {
    /// Trains the member, resumes it, or reads its result if it is FINISHED.
    fn finish(
        &self,
        known: Option<&RunRecord>,
        observer: &mut dyn Observer,
        cancelled: &AtomicBool,
    ) -> Result<TrainedRun, TrainingError> {
        let Self { store, plan, shown, .. } = self;
        let Some(run) = known else {
            observer.stage(&format!("training {shown}"));
            let run_id = store.start_run(&self.run_start())?;
            return self.train(&run_id, None, observer, cancelled);
        };
        plan.check_same_as(run)?;
        if run.status == RunStatus::Finished {
            return ActiveRun { store, plan, run_id: &run.run_id }.recall();
        }
        let checkpoint = Checkpoint::newest(store, &run.run_id, plan.timeframe(), observer)?;
        store.resume_run(&run.run_id, &plan.request.model)?;
        observer.stage(&format!("resuming {shown}"));
        self.train(&run.run_id, checkpoint, observer, cancelled)
    }

    fn run_start(&self) -> RunStart {
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
    ) -> Result<TrainedRun, TrainingError> {
        let Self { store, plan, .. } = self;
        with_lease(store, plan, run_id, observer, |observer| {
            let training = ActiveRun { store, plan, run_id };
            let mut trained = training.run(checkpoint, observer, cancelled)?;
            trained
                .sealing(store, observer, cancelled, |finish| store.finish_unregistered(finish))?;
            Ok(trained)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn best_seed_is_chosen_and_the_first_of_equal_ones() {
        assert_eq!(choose(SweepKind::Seeds, &[Some(-2.0), Some(-1.0), Some(-3.0)]), 1);
        assert_eq!(choose(SweepKind::Seeds, &[Some(1.0), Some(2.0), Some(2.0)]), 1);
    }

    #[test]
    fn seed_without_a_score_is_chosen_only_if_none_has_one() {
        assert_eq!(choose(SweepKind::Seeds, &[None, Some(-1e9), None]), 1);
        assert_eq!(choose(SweepKind::Seeds, &[None, None]), 0);
    }

    #[test]
    fn last_fold_is_chosen_whatever_its_score() {
        assert_eq!(choose(SweepKind::WalkForward, &[Some(5.0), None, Some(-5.0)]), 2);
    }
}
