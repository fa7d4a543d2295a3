//! Evaluations on new bars, and deflation by all trials.

use herdbook_domain::{Enhancement, EventKind, ParentSelector, Symbol};
use herdbook_store::EventQuery;
use herdbook_training::{DataSource, EvaluationResult, RegisteredModel, TrainingError, evaluate};

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
    let found = evaluate(&fixture.store, &model, data, None)?;
    found.record(&fixture.store, &model).unwrap();
    Ok(found)
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
    let all = fixture.store.trials(&windows.symbol, windows.timeframe, windows.test).unwrap();
    assert_eq!(all.len(), 3);
    let elsewhere =
        fixture.store.trials(&windows.symbol, windows.timeframe, windows.train).unwrap();
    assert!(elsewhere.is_empty(), "test windows do not overlap the training window");
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
