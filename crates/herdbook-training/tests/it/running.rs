//! Backtests and predictions of registered models.

use herdbook_domain::{Enhancement, Honesty, ParentSelector, Symbol, Timestamp};
use herdbook_training::{
    AgeLimits, Backtest, BacktestOptions, DataSource, Position, Prediction, RegisteredModel, Tape,
    TrainReport, TrainingError,
};

use crate::fixture::{Fixture, child, market, request, walk};

const N_BARS: usize = 1_500;
const N_WARM_UP: usize = 100;

fn load(fixture: &Fixture, version: i64) -> RegisteredModel {
    RegisteredModel::load(&fixture.store, fixture.version(version)).unwrap()
}

fn backtest(fixture: &Fixture, data: &DataSource, terms: BacktestOptions) -> Backtest {
    Backtest::run(&fixture.store, &load(fixture, 1), data, terms).unwrap()
}

fn trained() -> (Fixture, TrainReport) {
    let fixture = Fixture::new();
    let report = fixture.train(request()).unwrap();
    (fixture, report)
}

/// The walk of the request, continued to `n_bars` bars.
fn longer(n_bars: usize) -> DataSource {
    market(walk(n_bars, 1, 0.003))
}

#[test]
fn backtest_of_the_test_window_is_what_the_training_reported() {
    let (fixture, report) = trained();
    let terms =
        BacktestOptions { from: Some(report.run.windows.test.start), ..BacktestOptions::default() };
    let found = backtest(&fixture, &request().data, terms);
    assert_eq!(found.performance, report.run.performance);
    assert_eq!(found.baselines, report.run.baselines);
    assert_eq!(
        (found.window, found.honesty, found.n_seen),
        (report.run.windows.test, Honesty::Clean, 0)
    );
}

#[test]
fn bars_of_training_and_validation_and_one_after_each_are_seen() {
    let (fixture, report) = trained();
    let found = backtest(&fixture, &request().data, BacktestOptions::default());
    assert_eq!(found.n_bars(), N_BARS - N_WARM_UP);
    // The purged bars between the windows count as seen.
    let hours = (report.run.windows.test.start.millis() - report.run.windows.train.start.millis())
        / 3_600_000;
    assert_eq!(found.n_seen, hours as usize - N_WARM_UP);
    assert_eq!(found.honesty, Honesty::Contaminated);
}

#[test]
fn bars_after_everything_seen_are_clean_and_so_are_those_of_another_instrument() {
    let (fixture, report) = trained();
    let after =
        BacktestOptions { from: Some(report.run.windows.test.end), ..BacktestOptions::default() };
    let later = backtest(&fixture, &longer(2_000), after);
    assert_eq!((later.honesty, later.n_seen, later.n_bars()), (Honesty::Clean, 0, 500));
    let symbol = Symbol::parse("OTHER").unwrap();
    let other = DataSource { symbol, ..market(walk(1_500, 2, 0.003)) };
    assert_eq!(backtest(&fixture, &other, BacktestOptions::default()).honesty, Honesty::Clean);
}

#[test]
fn what_a_parent_has_seen_counts() {
    let (fixture, report) = trained();
    let late = Timestamp::from_millis(report.run.windows.test.start.millis() + 150 * 3_600_000);
    let mut request = child(ParentSelector::Latest, Enhancement::Continued);
    request.boundaries.test_from_ms = Some(late.millis());
    fixture.train(request.clone()).unwrap();
    let model = load(&fixture, 2);
    let from = |at| BacktestOptions { from: Some(at), ..BacktestOptions::default() };
    let run = |at| Backtest::run(&fixture.store, &model, &request.data, from(at)).unwrap();
    assert_eq!(run(report.run.windows.test.start).honesty, Honesty::Contaminated);
    assert_eq!(run(late).honesty, Honesty::Clean);
}

#[test]
fn equity_curve_and_trades_tell_the_same_story_as_the_figures() {
    let (fixture, _) = trained();
    let found = backtest(
        &fixture,
        &request().data,
        BacktestOptions { cost_bps: Some(3.0), ..BacktestOptions::default() },
    );
    let curve: Vec<_> = found.equity_curve().collect();
    assert_eq!(curve.len(), found.n_bars());
    let growth = curve[curve.len() - 1].equity / curve[0].equity - 1.0;
    assert!((growth - found.performance.total_return.unwrap()).abs() < 1e-12);
    let deepest = curve.iter().fold(0.0_f64, |deepest, point| deepest.max(point.drawdown));
    assert!((deepest - found.performance.max_drawdown.unwrap()).abs() < 1e-12);
    let held = curve.iter().filter(|point| point.position != "flat").count();
    let share = held as f64 / (curve.len() - 1) as f64;
    assert!((share - found.performance.exposure_time.unwrap()).abs() < 1e-12);
    assert_eq!(found.trades().count(), found.performance.total_trades);
    assert!(found.trades().all(|(entered, left, _)| entered < left));
}

#[test]
fn prediction_is_the_first_action_from_flat_after_the_newest_closed_bar() {
    let (fixture, _) = trained();
    let model = load(&fixture, 1);
    let data = request().data;
    let tape = Tape::read(&data, model.timeframe).unwrap();
    let ends =
        |n_bars: usize| Timestamp::from_millis((1_500_000_000 + n_bars as i64 * 3_600) * 1_000);
    for n_closed in [400, 401, 777, N_BARS - 1] {
        let predicted =
            Prediction::after_newest_bar(&model, &tape, ends(n_closed), AgeLimits::default())
                .unwrap();
        assert_eq!(predicted.bar.end, ends(n_closed));
        // A backtest from that bar starts flat, so its first action must be the same.
        let from = Some(predicted.bar.start);
        let found = Backtest::run(
            &fixture.store,
            &model,
            &data,
            BacktestOptions { from, ..BacktestOptions::default() },
        );
        let first = found.unwrap().equity_curve().nth(1).unwrap();
        assert_eq!(first.position, predicted.action.as_str());
        let likeliest = predicted.probabilities[predicted.action.action()];
        assert!(predicted.probabilities.iter().all(|share| *share <= likeliest));
        assert!((predicted.probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
    assert_eq!(Position::ALL[0].as_str(), "short", "the order of the probabilities");
}

#[test]
fn bar_that_still_runs_is_not_acted_on() {
    let (fixture, _) = trained();
    let model = load(&fixture, 1);
    let tape = Tape::read(&request().data, model.timeframe).unwrap();
    let last = Timestamp::from_millis(tape.bars.last_ms());
    let almost = Timestamp::from_millis(last.millis() + 3_599_999);
    let predicted = Prediction::after_newest_bar(&model, &tape, almost, AgeLimits::default());
    assert_eq!(predicted.unwrap().bar.end, last);
}

#[test]
fn old_bars_old_models_and_short_histories_are_refused() {
    let (fixture, _) = trained();
    let model = load(&fixture, 1);
    let tape = Tape::read(&request().data, model.timeframe).unwrap();
    let now = Timestamp::from_millis(model.version.created_at.millis() + 7_200_000);
    let refusal = |freshness| {
        Prediction::after_newest_bar(&model, &tape, now, freshness).unwrap_err().to_string()
    };
    let bar = refusal(AgeLimits { bar_ms: Some(3_600_000), model_ms: None });
    assert!(bar.starts_with("the newest closed bar is from 2017-09-14T14:40:00Z"), "{bar}");
    let old = refusal(AgeLimits { bar_ms: None, model_ms: Some(3_600_000) });
    assert!(old.contains("2.0 h ago: at most 60 min is allowed"), "{old}");

    let few = Tape::read(&longer(100), model.timeframe).unwrap();
    let error = Prediction::after_newest_bar(&model, &few, now, AgeLimits::default()).unwrap_err();
    assert!(error.to_string().starts_with("100 bars are too few: a model needs 101"), "{error}");
    let error = Backtest::run(&fixture.store, &model, &longer(101), BacktestOptions::default())
        .unwrap_err();
    assert!(error.to_string().starts_with("101 bars are too few: a model needs 102"), "{error}");
}

#[test]
fn altered_model_file_is_not_run() {
    let (fixture, report) = trained();
    let artifact = "models/1H/model.zip";
    fixture.store.store_artifact(&report.run.run_id, artifact, b"another model").unwrap();
    let error = RegisteredModel::load(&fixture.store, fixture.version(1)).unwrap_err();
    assert!(matches!(error, TrainingError::AlteredModel { .. }), "{error}");
}
