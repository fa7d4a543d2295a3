//! Evaluations on new bars, and deflation by all trials.

use std::path::PathBuf;

use herdbook_domain::{
    Enhancement, Evaluation, EventKind, EvidenceRecord, Honesty, ParentSelector, RunId, Symbol,
};
use herdbook_market::BadRows;
use herdbook_store::EventQuery;
use herdbook_training::{
    Backtest, BacktestOptions, DataSource, EvaluationResult, RegisteredModel, TrainingError,
    evaluate, evaluate_and_record,
};

use crate::fixture::{Fixture, child, market, request, walk};

/// The walk of the request, continued with new bars.
fn longer() -> DataSource {
    market(walk(2_500, 1, 0.003))
}

fn evaluated(
    fixture: &Fixture,
    version: i64,
    data: &DataSource,
) -> Result<EvaluationResult, TrainingError> {
    let model = RegisteredModel::load(&fixture.store, fixture.version(version)).unwrap();
    Ok(evaluate_and_record(&fixture.store, &model, data, None)?.0)
}

#[test]
fn evaluation_begins_after_everything_the_model_knew_and_stands_in_the_history() {
    let fixture = Fixture::new();
    let report = fixture.train(request()).unwrap();
    let found = evaluated(&fixture, 1, &longer()).unwrap();
    assert!(found.evaluation.window.start > report.run.windows.test.end);
    assert_eq!(found.evaluation.n_bars, 999);
    assert!(found.evaluation.is_lineage_known);
    let kept = fixture.store.evaluations(&fixture.version(1).key).unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].1, found.evaluation);
    let query = EventQuery { kind: Some(EventKind::Evaluated), ..EventQuery::default() };
    assert_eq!(fixture.store.events(&query).unwrap()[0].what.run_id, Some(report.run.run_id));
}

#[test]
fn bars_that_were_trained_or_tested_on_are_no_new_evidence() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let refused = evaluated(&fixture, 1, &request().data).unwrap_err();
    assert!(matches!(refused, TrainingError::NoNewBars { .. }), "{refused}");
    assert!(fixture.store.evaluations(&fixture.version(1).key).unwrap().is_empty());
}

#[test]
fn bars_that_only_the_grandparent_knew_are_not_new_either() {
    let fixture = Fixture::new();
    // The grandparent has seen 2,000 bars; the files of its descendants end earlier.
    let base = herdbook_training::TrainRequest { data: market(walk(2_000, 1, 0.003)), ..request() };
    fixture.train(base).unwrap();
    for selector in [1, 2] {
        let version = herdbook_domain::VersionNumber::new(selector).unwrap();
        let mut child = child(ParentSelector::Version(version), Enhancement::Continued);
        child.contaminated = herdbook_training::ContaminatedTest::Marked;
        fixture.train(child).unwrap();
    }
    let found = evaluated(&fixture, 3, &longer()).unwrap();
    assert_eq!(found.evaluation.n_bars, 499);
}

#[test]
fn bars_of_the_same_time_are_not_new_under_another_symbol() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let other = |data| DataSource { symbol: Symbol::parse("OTHER").unwrap(), ..data };
    let refused = evaluated(&fixture, 1, &other(request().data)).unwrap_err();
    assert!(matches!(refused, TrainingError::NoNewBars { .. }), "{refused}");
    assert_eq!(evaluated(&fixture, 1, &other(longer())).unwrap().evaluation.n_bars, 999);
}

#[test]
fn bars_shown_by_an_earlier_evaluation_are_counted() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    evaluated(&fixture, 1, &market(walk(2_000, 1, 0.003))).unwrap();
    let again = evaluated(&fixture, 1, &longer()).unwrap();
    assert_eq!((again.evaluation.n_bars, again.evaluation.n_shown_before), (999, 499));
}

#[test]
fn every_run_with_a_figure_on_an_overlapping_window_is_a_trial() {
    let fixture = Fixture::new();
    let first = fixture.train(request()).unwrap();
    assert_eq!(first.deflation, None);
    let second = fixture.train(herdbook_training::TrainRequest { seed: 8, ..request() }).unwrap();
    let among = second.deflation.unwrap();
    assert_eq!((among.n_trials, among.n_compared), (2, 2));
    assert!(among.n_effective >= 1.0 && among.variance.unwrap() > 0.0);
    // Repeating a training adds no trial.
    let again = fixture.train(herdbook_training::TrainRequest { seed: 8, ..request() }).unwrap();
    let again = again.deflation.unwrap();
    assert_eq!((again.n_trials, again.variance), (2, among.variance));
    // Deleted runs still count as trials.
    let database = rusqlite::Connection::open(fixture.folder.path().join("mlflow.db")).unwrap();
    database.execute_batch("UPDATE runs SET lifecycle_stage = 'deleted'").unwrap();
    let windows = first.run.windows;
    let trials = |window| {
        let query = herdbook_store::TrialQuery {
            symbol: windows.symbol.clone(),
            timeframe: windows.timeframe,
            window,
            closes_sha256: std::collections::BTreeSet::new(),
        };
        fixture.store.trials(&query).unwrap()
    };
    assert_eq!(trials(windows.test).len(), 3);
    let elsewhere = trials(windows.train);
    assert!(elsewhere.is_empty(), "test windows do not overlap the training window");
}

/// Evaluates with costs in basis points.
fn evaluated_at(
    fixture: &Fixture,
    version: i64,
    data: &DataSource,
    cost_bps: f64,
) -> EvaluationResult {
    let model = RegisteredModel::load(&fixture.store, fixture.version(version)).unwrap();
    evaluate_and_record(&fixture.store, &model, data, Some(cost_bps)).unwrap().0
}

fn record(found: &EvaluationResult) -> &EvidenceRecord {
    &found.evaluation.basis.as_ref().unwrap().record
}

#[test]
fn all_bars_since_the_training_are_one_record_and_a_part_adds_nothing() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let first = evaluated(&fixture, 1, &market(walk(2_000, 1, 0.003))).unwrap();
    assert_eq!(record(&first).figures.n_returns, 498);
    assert_eq!((record(&first).looks.n_grown, first.standing.n_tries), (1, 1));
    let whole = evaluated(&fixture, 1, &longer()).unwrap();
    assert_eq!(record(&whole).figures.n_returns, 998);
    assert_eq!(record(&whole).looks.n_grown, 2);
    assert_eq!(record(&whole).windows, [whole.evaluation.window]);
    // Twice as many bars: the two looks are two tries.
    assert_eq!(whole.standing.n_tries, 2);
    for data in [market(walk(1_700, 1, 0.003)), longer()] {
        let again = evaluated(&fixture, 1, &data).unwrap();
        assert_eq!(record(&again).figures, record(&whole).figures);
        assert_eq!(again.standing.probability, whole.standing.probability);
        assert_eq!(again.standing.n_tries, 2);
    }
    let kept = fixture.store.standing(&fixture.version(1).key).unwrap().unwrap();
    assert_eq!(kept.probability, whole.standing.probability);
}

#[test]
fn first_result_of_a_bar_counts() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let dear = evaluated_at(&fixture, 1, &longer(), 50.0);
    let cheap = evaluated_at(&fixture, 1, &longer(), 5.0);
    assert!(cheap.evaluation.metrics["total_return"] > dear.evaluation.metrics["total_return"]);
    assert_eq!(record(&cheap).figures, record(&dear).figures);
}

#[test]
fn costs_below_those_of_the_training_are_no_evidence_but_a_try() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let cost_bps = request().cost_bps;
    let cheap = evaluated_at(&fixture, 1, &longer(), cost_bps / 100.0);
    assert!(cheap.standing.shortcoming.unwrap().contains("below those of the training"));
    assert_eq!(cheap.standing.probability, None);
    let fair = evaluated_at(&fixture, 1, &longer(), cost_bps);
    assert_eq!((record(&fair).figures.n_returns, fair.standing.n_tries), (998, 2));
    assert_eq!(fair.standing.shortcoming, None);
    // The newest evaluation is no evidence, but the record before it still is there.
    let cheap = evaluated_at(&fixture, 1, &longer(), cost_bps / 100.0);
    assert_eq!(record(&cheap).figures, record(&fair).figures);
}

#[test]
fn other_models_on_the_same_bars_are_tries_and_copies_are_not() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    evaluated(&fixture, 1, &longer()).unwrap();
    let tries = || fixture.store.standing(&fixture.version(1).key).unwrap().unwrap().n_tries;
    assert_eq!(tries(), 1);
    // The same seed again: another file, the same model.
    fixture.train(request()).unwrap();
    let copy = evaluated(&fixture, 2, &market(walk(2_000, 1, 0.003))).unwrap();
    assert_eq!((tries(), copy.standing.n_tries), (1, 1));
    assert_eq!(record(&copy).figures.n_returns, 998, "the record of a copy is that of the model");
    // Another seed, and its bars under another name.
    fixture.train(herdbook_training::TrainRequest { seed: 8, ..request() }).unwrap();
    let renamed = DataSource { symbol: Symbol::parse("OTHER").unwrap(), ..longer() };
    let other = evaluated(&fixture, 3, &renamed).unwrap();
    assert!(other.standing.shortcoming.unwrap().contains("but the model was trained on"));
    assert_eq!(tries(), 2);
}

#[test]
fn part_of_the_bars_that_the_register_knows_is_no_evidence() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    fixture.train(herdbook_training::TrainRequest { seed: 8, ..request() }).unwrap();
    evaluated(&fixture, 1, &longer()).unwrap();
    let part = evaluated(&fixture, 2, &market(walk(2_000, 1, 0.003))).unwrap();
    let told = part.standing.shortcoming.unwrap();
    assert!(told.contains("covers 50% of the bars") && told.contains("evaluate on all"), "{told}");
    assert_eq!(evaluated(&fixture, 2, &longer()).unwrap().standing.shortcoming, None);
}

#[test]
fn lost_returns_are_told_and_restored_by_the_same_evaluation() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let short = market(walk(2_000, 1, 0.003));
    let first = evaluated(&fixture, 1, &short).unwrap();
    let run_id = fixture.version(1).run_id.unwrap();
    let sha256 = &first.evaluation.basis.as_ref().unwrap().returns_sha256;
    let path = fixture.store.artifact_path(&run_id, &Evaluation::returns_artifact(sha256)).unwrap();
    let kept = std::fs::read(&path).unwrap();
    for damage in [None, Some(&kept[..kept.len() - 8])] {
        match damage {
            None => std::fs::remove_file(&path).unwrap(),
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
        }
        let refused = evaluated(&fixture, 1, &longer()).unwrap_err();
        assert!(matches!(refused, TrainingError::LostFile { .. }), "{refused}");
        evaluated(&fixture, 1, &short).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), kept);
    }
    assert_eq!(record(&evaluated(&fixture, 1, &longer()).unwrap()).figures.n_returns, 998);
}

/// The new bars of [`longer`] with some before them, moved by almost a year.
fn moved_tail() -> DataSource {
    let moved = String::from_utf8(moved(walk(2_500, 1, 0.003), 364 * 86_400)).unwrap();
    let lines: Vec<&str> = moved.lines().collect();
    market([&lines[..1], &lines[1_700..]].concat().join("\n").into_bytes())
}

#[test]
fn evaluated_bars_at_other_times_are_not_new_and_are_tries_of_other_models() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    fixture.train(herdbook_training::TrainRequest { seed: 8, ..request() }).unwrap();
    let first = evaluated(&fixture, 1, &longer()).unwrap();
    assert_eq!(first.standing.n_tries, 1);
    // Under this and another name: neither new bars nor a try, because nothing can be chosen.
    for name in ["WALK", "OTHER"] {
        let data = DataSource { symbol: Symbol::parse(name).unwrap(), ..moved_tail() };
        let again = evaluated(&fixture, 1, &data).unwrap();
        assert_eq!(again.evaluation.n_shown_before, again.evaluation.n_bars);
        assert_eq!((record(&again).figures.n_returns, again.standing.n_tries), (998, 1));
        assert_eq!(again.standing.shortcoming, None);
        let told = again.backtest.notes.join("\n");
        assert!(told.contains("bars of WALK, given times 364 d later"), "{told}");
    }
    // Another model has tried the bars too.
    let other = evaluated(&fixture, 2, &moved_tail()).unwrap();
    let basis = other.evaluation.basis.as_ref().unwrap();
    let returns_sha256 = &first.evaluation.basis.as_ref().unwrap().returns_sha256;
    assert_eq!(basis.moved_by[returns_sha256], Some(364 * 86_400_000));
    let standing = fixture.store.standing(&fixture.version(1).key).unwrap().unwrap();
    assert_eq!((standing.n_tries, standing.shortcoming), (2, None));
}

#[test]
fn own_bars_at_other_times_with_more_bars_are_a_try() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    evaluated(&fixture, 1, &market(walk(2_300, 1, 0.003))).unwrap();
    // 799 of its bars were shown, 200 are new: what they show could decide when to go on.
    let again = evaluated(&fixture, 1, &moved_tail()).unwrap();
    assert_eq!((record(&again).figures.n_returns, again.standing.n_tries), (798, 2));
}

/// The same training as version 1, registered as a model of another name.
fn copy_of_the_first(fixture: &Fixture) -> RegisteredModel {
    let model = herdbook_domain::ModelName::parse("a_copy").unwrap();
    let report = fixture.train(herdbook_training::TrainRequest { model, ..request() }).unwrap();
    let version = fixture.store.version(&report.registered.key).unwrap();
    RegisteredModel::load(&fixture.store, version).unwrap()
}

#[test]
fn copy_of_a_model_on_bars_at_other_times_is_no_other_model() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let first = evaluated(&fixture, 1, &longer()).unwrap();
    let copy = copy_of_the_first(&fixture);
    let moved = evaluate_and_record(&fixture.store, &copy, &moved_tail(), None).unwrap().0;
    // The copy is judged by the bars that the first one was evaluated on, and neither is a try of the other.
    assert_eq!(record(&moved), record(&first));
    assert_eq!(moved.standing.n_tries, 1);
    let standing = fixture.store.standing(&fixture.version(1).key).unwrap().unwrap();
    assert_eq!(standing.n_tries, 1);
}

#[test]
fn trainings_and_evaluations_on_the_same_bars_count_for_each_other_whichever_came_later() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    evaluated(&fixture, 1, &longer()).unwrap();
    let tries = || fixture.store.standing(&fixture.version(1).key).unwrap().unwrap().n_tries;
    let renamed = |symbol: &str, seed, data: DataSource| {
        let data = DataSource { symbol: Symbol::parse(symbol).unwrap(), ..data };
        fixture.train(herdbook_training::TrainRequest { seed, data, ..request() }).unwrap()
    };
    // Tested on the evaluated bars, under another name and at other times.
    let tested = renamed("COPY", 8, market(moved(walk(2_500, 1, 0.003), 91 * 86_400)));
    assert_eq!((tested.run.evidence.n_tries, tested.deflation), (2, None));
    assert_eq!(tries(), 2);
    // The same training again.
    renamed("COPY", 8, market(moved(walk(2_500, 1, 0.003), 91 * 86_400)));
    assert_eq!(tries(), 2);
    // Other bars.
    let elsewhere = renamed("OTHER", 8, market(walk(2_500, 2, 0.003)));
    assert_eq!((elsewhere.run.evidence.n_tries, tries()), (1, 2));
}

#[test]
fn backtest_is_deflated_by_the_tries_on_its_bars() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    fixture.train(herdbook_training::TrainRequest { seed: 8, ..request() }).unwrap();
    let model = RegisteredModel::load(&fixture.store, fixture.version(2)).unwrap();
    let from = fixture.store.run(&model.run.run_id).unwrap().windows().unwrap().test.end;
    let options = BacktestOptions { from: Some(from), ..BacktestOptions::default() };
    let backtest = || Backtest::run(&fixture.store, &model, &longer(), options).unwrap();
    let found = backtest();
    assert_eq!((found.honesty, found.evidence().n_tries), (Honesty::Clean, 1));
    evaluated(&fixture, 1, &longer()).unwrap();
    evaluated(&fixture, 2, &longer()).unwrap();
    let evidence = backtest().evidence();
    assert_eq!(evidence.n_tries, 2);
    assert!(evidence.probability() <= evidence.figures.probability);
}

#[test]
fn file_without_some_of_the_known_bars_is_no_evidence() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    fixture.train(herdbook_training::TrainRequest { seed: 8, ..request() }).unwrap();
    evaluated(&fixture, 1, &longer()).unwrap();
    let without_every = |n: usize| {
        let text = String::from_utf8(longer().bytes).unwrap();
        let lines = text.lines().enumerate().filter(|(idx, _)| idx % n != n / 2 || *idx < 2_000);
        market(lines.map(|(_, line)| line).collect::<Vec<_>>().join("\n").into_bytes())
    };
    let few = evaluated(&fixture, 2, &without_every(40)).unwrap();
    assert_eq!((few.evaluation.n_missing, few.evaluation.shortcoming()), (12, None));
    let many = evaluated(&fixture, 2, &without_every(8)).unwrap();
    let told = "62 bars that the register knows are missing between its first and its last one";
    assert_eq!(many.evaluation.shortcoming().as_deref(), Some(told));
}

#[test]
fn number_of_bad_rows_is_recorded() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let mut data = longer();
    let text = String::from_utf8(data.bytes).unwrap();
    data.bytes = text.replacen("\n1508", "\nnull,,,,,\n1508", 3).into_bytes();
    data.reading.bad_rows = BadRows::Skip;
    let found = evaluated(&fixture, 1, &data).unwrap();
    assert_eq!(found.evaluation.n_bad_rows, 3);
    let recorded = fixture.store.evaluations(&fixture.version(1).key).unwrap();
    assert_eq!(recorded[0].1.n_bad_rows, 3);
    assert_eq!(evaluated(&fixture, 1, &longer()).unwrap().evaluation.n_bad_rows, 0);
}

#[test]
fn trainings_tested_on_the_bars_of_a_record_are_tries_under_any_name() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let n_trainings =
        |found: &EvaluationResult| found.evaluation.basis.as_ref().unwrap().n_trainings;
    assert_eq!(n_trainings(&evaluated(&fixture, 1, &longer()).unwrap()), 0);
    let copy = DataSource { symbol: Symbol::parse("COPY").unwrap(), ..longer() };
    for _ in 0..2 {
        let data = copy.clone();
        fixture.train(herdbook_training::TrainRequest { seed: 8, data, ..request() }).unwrap();
        // The second training repeats the first one.
        assert_eq!(n_trainings(&evaluated(&fixture, 1, &longer()).unwrap()), 1);
    }
}

#[test]
fn lost_closes_are_told_and_restored_by_the_same_evaluation() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let short = market(walk(2_000, 1, 0.003));
    let sha256 = evaluated(&fixture, 1, &short).unwrap().evaluation.closes_sha256.unwrap();
    let run_id = fixture.version(1).run_id.unwrap();
    let artifact = format!("evaluation/closes/{sha256}.bin");
    let path = fixture.store.artifact_path(&run_id, &artifact).unwrap();
    std::fs::remove_file(&path).unwrap();
    let refused = evaluated(&fixture, 1, &longer()).unwrap_err();
    assert!(matches!(refused, TrainingError::LostFile { .. }), "{refused}");
    evaluated(&fixture, 1, &short).unwrap();
    assert_eq!(record(&evaluated(&fixture, 1, &longer()).unwrap()).figures.n_returns, 998);
}

/// CSV bars with all times moved.
fn moved(csv: Vec<u8>, seconds: i64) -> Vec<u8> {
    let text = String::from_utf8(csv).unwrap();
    let line = |(idx, line): (usize, &str)| match line.split_once(',') {
        Some((time, rest)) if idx > 0 => {
            format!("{},{rest}", time.parse::<i64>().unwrap() + seconds)
        }
        _ => line.to_owned(),
    };
    let lines: Vec<String> = text.lines().enumerate().map(line).collect();
    lines.join("\n").into_bytes()
}

#[test]
fn trials_are_found_under_any_name_and_time_and_in_other_timeframes() {
    let fixture = Fixture::new();
    let first = fixture.train(request()).unwrap();
    let named = |symbol: &str, bytes| DataSource {
        symbol: Symbol::parse(symbol).unwrap(),
        ..market(bytes)
    };
    let on = |seed, data| herdbook_training::TrainRequest { seed, data, ..request() };
    // The same bars under another name, with another seed and with the same one.
    let bars = walk(1_500, 1, 0.003);
    let other = fixture.train(on(8, named("COPY", bars.clone()))).unwrap();
    assert_eq!(other.deflation.unwrap().n_trials, 2);
    let again = fixture.train(on(7, named("COPY", bars.clone()))).unwrap();
    assert_eq!(again.deflation.unwrap().n_trials, 2);
    // At later times.
    let shifted = fixture.train(on(9, named("LATER", moved(bars, 364 * 86_400)))).unwrap();
    let among = shifted.deflation.unwrap();
    assert_eq!((among.n_trials, among.n_compared), (3, 3));
    // Other bars have no trials in common.
    let elsewhere = fixture.train(on(9, named("OTHER", walk(1_500, 2, 0.003)))).unwrap();
    assert_eq!(elsewhere.deflation, None);
    // Four hours of the same bars.
    let on_the_hour = moved(walk(6_000, 1, 0.003), -2_400);
    let four_hours = herdbook_training::TrainRequest {
        timeframe: herdbook_domain::Timeframe::Hour4,
        model: herdbook_domain::ModelName::parse("4H_trading_model").unwrap(),
        ..on(9, named("SLOW", on_the_hour.clone()))
    };
    let base = fixture.train(on(10, named("FAST", on_the_hour))).unwrap();
    assert_eq!(base.deflation, None);
    let slow = fixture.train(four_hours).unwrap();
    assert_eq!(slow.deflation.unwrap().n_trials, 2);
    assert_eq!(first.deflation, None);
}

/// Removes a file of a run, and gives what is needed to restore it.
fn remove(fixture: &Fixture, run_id: &RunId, artifact: &str) -> (PathBuf, Vec<u8>) {
    let path = fixture.store.artifact_path(run_id, artifact).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    (path, bytes)
}

/// What version 1 would be judged by on [`longer`], and the notes. Nothing is recorded.
fn judged(fixture: &Fixture) -> (usize, u64, String) {
    let model = RegisteredModel::load(&fixture.store, fixture.version(1)).unwrap();
    let found = evaluate(&fixture.store, &model, &longer(), None).unwrap();
    let n_trainings = found.evaluation.basis.as_ref().unwrap().n_trainings;
    (n_trainings, found.standing.n_tries, found.backtest.notes.join("\n"))
}

#[test]
fn training_with_lost_closes_is_a_try_on_all_bars() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    // Tested on the bars of the evaluation, under another name and other times; and on other bars.
    let same = DataSource { symbol: Symbol::parse("COPY").unwrap(), ..moved_tail() };
    let apart = DataSource {
        symbol: Symbol::parse("APART").unwrap(),
        ..market(moved(walk(1_500, 9, 0.003), 2_000 * 86_400))
    };
    let train = |data| {
        let request = herdbook_training::TrainRequest { seed: 8, data, ..request() };
        fixture.train(request).unwrap().run.run_id
    };
    let (same, apart) = (train(same), train(apart));
    assert_eq!(judged(&fixture), (1, 2, String::new()));
    let closes = herdbook_training::CLOSES_ARTIFACT;
    let lost = remove(&fixture, &same, closes);
    let (n_trainings, n_tries, told) = judged(&fixture);
    assert_eq!((n_trainings, n_tries), (1, 2));
    let expected = format!("the file `{closes}` of training `{same}` is missing or altered");
    assert!(told.contains(&expected), "{told}");
    let also_lost = remove(&fixture, &apart, closes);
    let (n_trainings, n_tries, told) = judged(&fixture);
    assert_eq!((n_trainings, n_tries), (2, 3));
    assert!(told.contains("of 2 trainings, such as"), "{told}");
    // An altered file is as good as none.
    std::fs::write(&also_lost.0, &lost.1).unwrap();
    std::fs::write(&lost.0, &lost.1).unwrap();
    assert_eq!(judged(&fixture).0, 2);
    std::fs::write(&also_lost.0, &also_lost.1).unwrap();
    assert_eq!(judged(&fixture), (1, 2, String::new()));
}

#[test]
fn run_that_was_removed_for_good_stays_a_try() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let data = DataSource { symbol: Symbol::parse("COPY").unwrap(), ..moved_tail() };
    let other = herdbook_training::TrainRequest { seed: 8, data, ..request() };
    let run_id = fixture.train(other).unwrap().run.run_id;
    let folder = fixture.store.artifact_path(&run_id, "model").unwrap();
    std::fs::remove_dir_all(folder.parent().unwrap()).unwrap();
    let database = rusqlite::Connection::open(fixture.folder.path().join("mlflow.db")).unwrap();
    for table in ["metrics", "latest_metrics", "params", "tags", "runs"] {
        let sql = format!("DELETE FROM {table} WHERE run_uuid = ?1");
        database.execute(&sql, [run_id.as_str()]).unwrap();
    }
    let (n_trainings, n_tries, told) = judged(&fixture);
    assert_eq!((n_trainings, n_tries), (1, 2));
    assert!(told.contains(run_id.as_str()), "{told}");
}

#[test]
fn evaluation_with_lost_closes_is_a_try_on_all_bars() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let apart = |n_bars| DataSource {
        symbol: Symbol::parse("APART").unwrap(),
        ..market(moved(walk(n_bars, 9, 0.003), 2_000 * 86_400))
    };
    let data = apart(1_500);
    let other = fixture.train(herdbook_training::TrainRequest { data, ..request() }).unwrap();
    let sha256 = evaluated(&fixture, 2, &apart(2_500)).unwrap().evaluation.closes_sha256.unwrap();
    assert_eq!(judged(&fixture), (0, 1, String::new()));
    let artifact = format!("evaluation/closes/{sha256}.bin");
    let (path, bytes) = remove(&fixture, &other.run.run_id, &artifact);
    let (n_trainings, n_tries, told) = judged(&fixture);
    assert_eq!((n_trainings, n_tries), (0, 2));
    assert!(told.contains("the closes of 1 evaluation of other models"), "{told}");
    // A training that ends now is a try on those bars, which could be its own.
    let third = fixture.train(herdbook_training::TrainRequest { seed: 11, ..request() }).unwrap();
    assert_eq!(third.run.evidence.n_tries, 3);
    std::fs::write(path, bytes).unwrap();
    assert_eq!(judged(&fixture), (0, 1, String::new()));
}
