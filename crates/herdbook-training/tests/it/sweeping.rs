//! Sweeps over seeds, and over the folds of a walk-forward.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use herdbook_domain::{
    Enhancement, EventKind, Honesty, ParentSelector, RunId, RunStatus, VersionType,
};
use herdbook_store::EventQuery;
use herdbook_training::{
    CHOSEN_BY, ContaminatedTest, Observer, Outcome, PreparedSweep, Progress, Resumption, SweepKind,
    SweepReport, TrainRequest, TrainingError, resume, train_sweep,
};

use crate::fixture::{Fixture, Listener, child, request};

fn swept(
    fixture: &Fixture,
    request: TrainRequest,
    kind: SweepKind,
    n: usize,
) -> Result<SweepReport, TrainingError> {
    let sweep = PreparedSweep::new(request, kind, NonZeroUsize::new(n).unwrap())?;
    train_sweep(&fixture.store, &sweep, &mut Listener::default(), &AtomicBool::new(false))
}

#[test]
fn best_of_several_seeds_on_validation_is_registered_and_all_are_finished_runs() {
    let fixture = Fixture::new();
    let report = swept(&fixture, request(), SweepKind::Seeds, 3).unwrap();
    let seeds: Vec<u64> = report.members.iter().map(|run| run.seed).collect();
    assert_eq!(seeds, [7, 8, 9]);
    let score = |idx: usize| report.members[idx].metrics[CHOSEN_BY];
    assert!((0..3).all(|idx| score(idx) <= score(report.chosen)));
    for (idx, run) in report.members.iter().enumerate() {
        assert_eq!(fixture.store.run(&run.run_id).unwrap().status, RunStatus::Finished);
        let version = fixture.store.version_of_run(&run.run_id).unwrap();
        assert_eq!(version.is_some(), idx == report.chosen);
    }
    assert_eq!(report.report.registered.key, fixture.version(1).key);
    let events = fixture.store.events(&EventQuery::default()).unwrap();
    let n_registered = events.iter().filter(|event| event.what.kind == EventKind::Registered);
    assert_eq!(n_registered.count(), 1);
}

#[test]
fn member_of_a_sweep_is_what_a_training_with_its_seed_gives() {
    let fixture = Fixture::new();
    let report = swept(&fixture, request(), SweepKind::Seeds, 2).unwrap();
    let alone = fixture.train(TrainRequest { seed: 8, ..request() }).unwrap();
    assert_eq!(report.members[1].metrics, alone.run.metrics);
}

#[test]
fn spread_is_over_all_members() {
    let fixture = Fixture::new();
    let report = swept(&fixture, request(), SweepKind::Seeds, 3).unwrap();
    let values: Vec<f64> =
        report.members.iter().map(|run| run.metrics["final/mean_reward"]).collect();
    let spread = report.summary("final/mean_reward").unwrap();
    assert!((spread.mean - values.iter().sum::<f64>() / 3.0).abs() < 1e-12);
    assert_eq!(spread.n, 3);
    let highest = values.iter().copied().fold(f64::MIN, f64::max);
    assert!(spread.max.total_cmp(&highest).is_eq());
    assert_eq!(report.summary("no/such_metric"), None);
}

#[test]
fn folds_are_tested_on_bars_that_follow_one_another_and_the_last_is_registered() {
    let fixture = Fixture::new();
    let report = swept(&fixture, request(), SweepKind::WalkForward, 3).unwrap();
    assert_eq!(report.chosen, 2);
    for pair in report.members.windows(2) {
        assert!(pair[0].windows.test.end <= pair[1].windows.test.start);
        assert!(pair[0].windows.train.end < pair[1].windows.train.end);
    }
    let run = fixture.store.run(&report.members[0].run_id).unwrap();
    assert_eq!(run.params["data.test_end"], report.members[0].windows.test.end.to_string());
}

#[test]
fn more_folds_than_the_bars_have_room_for_are_refused_before_anything_is_written() {
    let fixture = Fixture::new();
    let refused = swept(&fixture, request(), SweepKind::WalkForward, 100).unwrap_err().to_string();
    assert!(refused.starts_with("1500 bars are too few for 100 folds"), "{refused}");
    assert!(fixture.store.events(&EventQuery::default()).unwrap().is_empty());
}

#[test]
fn parent_turns_old_once_and_only_when_the_chosen_child_is_registered() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let child = child(ParentSelector::Latest, Enhancement::Continued);
    let report = swept(&fixture, child, SweepKind::Seeds, 2).unwrap();
    assert_eq!(fixture.version(1).tag("version_type"), Some(VersionType::Old));
    assert_eq!(report.report.registered.superseded, [fixture.version(1).key]);
}

#[test]
fn folds_that_an_ancestor_has_seen_are_refused_before_anything_is_trained() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let child = child(ParentSelector::Latest, Enhancement::Continued);
    let refused = swept(&fixture, child, SweepKind::WalkForward, 3).unwrap_err();
    assert!(matches!(refused, TrainingError::Contaminated { .. }));
    assert_eq!(fixture.store.events(&EventQuery::default()).unwrap().len(), 2);
}

/// Cancels at the second member's second iteration.
struct Stopper<'a> {
    stages: u32,
    cancelled: &'a AtomicBool,
}

impl Observer for Stopper<'_> {
    fn notice(&mut self, _text: &str) {}

    fn stage(&mut self, _text: &str) {
        self.stages += 1;
    }

    fn progress(&mut self, progress: &Progress) {
        let is_time = self.stages == 2 && progress.trained >= 512;
        self.cancelled.store(is_time, Ordering::Relaxed);
    }
}

#[test]
fn sweep_that_was_stopped_goes_on_with_the_members_that_are_not_finished() {
    for kind in [SweepKind::Seeds, SweepKind::WalkForward] {
        let fixture = Fixture::new();
        let n = NonZeroUsize::new(3).unwrap();
        let request = TrainRequest { timesteps: 1_024, ..request() };
        let whole = swept(&fixture, request.clone(), kind, 3).unwrap();
        let sweep = PreparedSweep::new(request.clone(), kind, n).unwrap();
        let cancelled = AtomicBool::new(false);
        let mut stopper = Stopper { stages: 0, cancelled: &cancelled };
        let stopped = train_sweep(&fixture.store, &sweep, &mut stopper, &cancelled).unwrap_err();
        let TrainingError::Cancelled { run_id, .. } = stopped else { panic!("{stopped}") };
        let mut listener = Listener::default();
        let found = Resumption::find(&fixture.store, &run_id, &mut listener).unwrap();
        let prepared = found.prepare(request.data.bytes).unwrap();
        let outcome =
            resume(&fixture.store, prepared, &mut listener, &AtomicBool::new(false)).unwrap();
        let Outcome::Sweep(resumed) = outcome else { panic!("one run came of three") };
        assert_eq!(resumed.members[1].run_id, run_id);
        assert_eq!(resumed.chosen, whole.chosen);
        for (resumed, whole) in resumed.members.iter().zip(&whole.members) {
            assert_eq!(resumed.metrics, whole.metrics);
            assert_eq!(resumed.trained_timesteps, whole.trained_timesteps);
        }
    }
}

#[test]
fn sweep_that_could_not_be_registered_is_registered_by_taking_up_any_member() {
    let fixture = Fixture::new();
    let database = rusqlite::Connection::open(fixture.folder.path().join("mlflow.db")).unwrap();
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON model_versions
        BEGIN SELECT RAISE(ABORT, 'refused'); END";
    database.execute_batch(refuse).unwrap();
    swept(&fixture, request(), SweepKind::Seeds, 3).unwrap_err();
    database.execute_batch("DROP TRIGGER refuse").unwrap();
    let sql = "SELECT run_uuid, artifact_uri FROM runs ORDER BY start_time DESC, run_uuid";
    let last: (String, String) =
        database.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    // Without its own checkpoints, the request is read from those of another member.
    let folder = last.1.trim_start_matches("file://").to_owned() + "/models/1H";
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().extension().is_some_and(|ending| ending == "resume") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    let mut listener = Listener::default();
    let run_id = RunId::parse(&last.0).unwrap();
    let found = Resumption::find(&fixture.store, &run_id, &mut listener).unwrap();
    let prepared = found.prepare(request().data.bytes).unwrap();
    let outcome = resume(&fixture.store, prepared, &mut listener, &AtomicBool::new(false)).unwrap();
    let Outcome::Sweep(resumed) = outcome else { panic!("one run came of three") };
    assert_eq!(resumed.report.registered.key, fixture.version(1).key);
    let whole = swept(&Fixture::new(), request(), SweepKind::Seeds, 3).unwrap();
    assert_eq!(resumed.chosen, whole.chosen);
    let runs = fixture.store.runs_with_tag("herdbook.sweep_index", "0").unwrap();
    assert_eq!(runs.len(), 1, "no member was trained again");
    let left = Resumption::find(&fixture.store, &run_id, &mut listener).unwrap_err();
    assert!(left.to_string().contains("is FINISHED: it cannot be resumed"), "{left}");
}

#[test]
fn contaminated_folds_stay_out_of_the_spread() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let child = TrainRequest {
        contaminated: ContaminatedTest::Marked,
        ..child(ParentSelector::Latest, Enhancement::Continued)
    };
    let report = swept(&fixture, child, SweepKind::WalkForward, 3).unwrap();
    let honest: Vec<&_> =
        report.members.iter().filter(|run| run.honesty != Honesty::Contaminated).collect();
    assert_eq!(report.n_contaminated(), report.members.len() - honest.len());
    assert!(report.n_contaminated() > 0);
    let n = report.summary("portfolio/total_return").map_or(0, |spread| spread.n);
    assert_eq!(n, honest.len());
}
