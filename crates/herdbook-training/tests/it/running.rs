//! Backtests and predictions of registered models.

use herdbook_domain::{Enhancement, Honesty, ParentSelector, Symbol, Timestamp};
use herdbook_training::{
    AgeLimits, Backtest, BacktestOptions, DataSource, Follower, Holding, Position, Prediction,
    RegisteredModel, Tape, TrainReport, TrainingError,
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

/// The prediction for a flat account.
fn predict(
    model: &RegisteredModel,
    tape: &Tape,
    now: Timestamp,
    limits: AgeLimits,
) -> Result<Prediction, TrainingError> {
    Prediction::after_newest_bar(model, tape, now, limits, Holding::default())
}

#[test]
fn prediction_is_the_first_action_from_flat_after_the_newest_closed_bar() {
    let (fixture, _) = trained();
    let model = load(&fixture, 1);
    let data = request().data;
    let tape = Tape::read(&data, model.timeframe).unwrap();
    for n_closed in [400, 401, 777, N_BARS - 1] {
        let predicted = predict(&model, &tape, ends(n_closed), AgeLimits::default()).unwrap();
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
    let predicted = predict(&model, &tape, almost, AgeLimits::default());
    assert_eq!(predicted.unwrap().bar.end, last);
}

/// The open of the hour after `n_bars` bars.
fn ends(n_bars: usize) -> Timestamp {
    Timestamp::from_millis((1_500_000_000 + n_bars as i64 * 3_600) * 1_000)
}

/// All predictions of a follower that sees the bars at the given numbers of closed bars.
fn followed(
    (model, tape): (&RegisteredModel, &Tape),
    start: Holding,
    n_closed: impl IntoIterator<Item = usize>,
) -> Vec<Prediction> {
    let mut follower = Follower::new(start);
    let mut predictions = Vec::new();
    for n_closed in n_closed {
        let at = ends(n_closed);
        let step = follower.step(model, tape, at, at, AgeLimits::default()).unwrap();
        assert_eq!((step.n_too_old, step.changed, step.lost), (0, None, None));
        predictions.extend(step.predictions);
        assert_eq!(follower.followed(), Some(ends(n_closed - 1)));
    }
    predictions
}

#[test]
fn follower_acts_as_a_backtest_from_the_same_bar_does() {
    let (fixture, _) = trained();
    let model = load(&fixture, 1);
    let data = request().data;
    let tape = Tape::read(&data, model.timeframe).unwrap();
    let one_by_one = followed((&model, &tape), Holding::default(), 1_000..=1_300);
    let terms = BacktestOptions { from: Some(ends(999)), ..BacktestOptions::default() };
    let found = Backtest::run(&fixture.store, &model, &data, terms).unwrap();
    let held: Vec<&str> = found.equity_curve().map(|point| point.position).take(302).collect();
    let from: Vec<&str> = one_by_one.iter().map(|it| it.from.as_str()).collect();
    let actions: Vec<&str> = one_by_one.iter().map(|it| it.action.as_str()).collect();
    assert_eq!((from, actions), (held[..301].to_vec(), held[1..].to_vec()));
    // Bars that close between two looks are followed one after the other.
    let at_once = followed((&model, &tape), Holding::default(), [1_000, 1_001, 1_001, 1_300]);
    assert_eq!(at_once, one_by_one);
}

#[test]
fn position_is_observed_as_if_it_had_been_held_since_its_entry() {
    let (fixture, _) = trained();
    let model = load(&fixture, 1);
    let tape = Tape::read(&request().data, model.timeframe).unwrap();
    for position in [Position::Short, Position::Flat, Position::Long] {
        let start = Holding { position, since: None };
        for seen in followed((&model, &tape), start, 1_000..=1_200) {
            let holding = Holding { position: seen.from, since: seen.since };
            let limits = AgeLimits::default();
            let again = Prediction::after_newest_bar(&model, &tape, seen.bar.end, limits, holding);
            let again = again.unwrap();
            let close = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
            assert!(again.observation.iter().zip(&seen.observation).all(close));
            assert_eq!((again.action, again.since), (seen.action, seen.since));
        }
    }
    // Long since two bars ago: the sign, the return in percent after the costs of entry, and ln(1 + 3).
    let since = Some(Timestamp::from_millis(ends(997).millis() + 1_800_000));
    let long = Holding { position: Position::Long, since };
    let found =
        Prediction::after_newest_bar(&model, &tape, ends(1_000), AgeLimits::default(), long);
    let [sign, unrealised, age] = found.unwrap().observation[32..] else { panic!("35 elements") };
    let (entry, last) = (tape.bars.as_slice()[997].open, tape.bars.as_slice()[999].close);
    let expected = 100.0 * (last / entry - 1.0) - 0.01;
    assert!((sign - 1.0).abs() < 1e-9 && (age - 4_f32.ln()).abs() < 1e-6);
    assert!((f64::from(unrealised) - expected).abs() < 2e-3, "{unrealised} {expected}");
}

#[test]
fn position_that_is_not_possible_is_refused() {
    let (fixture, _) = trained();
    let model = load(&fixture, 1);
    let tape = Tape::read(&request().data, model.timeframe).unwrap();
    let refusal = |position, since| {
        let holding = Holding { position, since: Some(since) };
        let limits = AgeLimits::default();
        Prediction::after_newest_bar(&model, &tape, ends(1_000), limits, holding)
            .unwrap_err()
            .to_string()
    };
    let before = refusal(Position::Long, Timestamp::from_millis(0));
    assert_eq!(
        before,
        "a long position cannot be held since 1970-01-01T00:00:00Z: it must be entered in a closed bar, and the bars go \
         from 2017-07-14T02:40:00Z to 2017-08-24T18:40:00Z"
    );
    assert!(refusal(Position::Short, ends(1_000)).starts_with("a short position cannot be held"));

    let mut csv = String::from("timestamp,open,high,low,close\n");
    for idx in 0..300_i64 {
        let price = if idx < 250 { 100.0 } else { 300.0 };
        csv += &format!("{},{price},{price},{price},{price}\n", 1_500_000_000 + idx * 3_600);
    }
    let tape = Tape::read(&market(csv.into_bytes()), model.timeframe).unwrap();
    let short = Holding { position: Position::Short, since: Some(ends(240)) };
    let limits = AgeLimits::default();
    let error = Prediction::after_newest_bar(&model, &tape, ends(300), limits, short).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a short position held since 2017-07-24T02:40:00Z has lost all its equity by the newest closed bar"
    );
    let mut follower = Follower::new(Holding { position: Position::Short, since: None });
    follower.step(&model, &tape, ends(240), ends(240), limits).unwrap();
    let step = follower.step(&model, &tape, ends(260), ends(260), limits).unwrap();
    assert_eq!(step.predictions.len(), 20);
}

#[test]
fn follower_keeps_its_position_while_bars_are_too_old_and_sees_changed_bars() {
    let (fixture, _) = trained();
    let model = load(&fixture, 1);
    let tape = Tape::read(&request().data, model.timeframe).unwrap();
    let limits = AgeLimits { bar_ms: Some(3_600_000), model_ms: None };
    let start = Holding { position: Position::Long, since: None };
    let mut follower = Follower::new(start);
    let step = follower.step(&model, &tape, ends(1_000), ends(1_002), limits).unwrap();
    assert_eq!((step.predictions.len(), step.n_too_old), (0, 1));
    let step = follower.step(&model, &tape, ends(1_002), ends(1_003), limits).unwrap();
    assert_eq!((step.predictions.len(), step.n_too_old), (1, 1));
    assert_eq!(
        (step.predictions[0].from, step.predictions[0].since),
        (Position::Long, Some(ends(999)))
    );

    let csv = String::from_utf8(walk(N_BARS, 1, 0.003)).unwrap();
    let mut lines: Vec<String> = csv.lines().map(str::to_owned).collect();
    // The header, then bar 0: this is bar 1,001 with the close of its open.
    let mut fields: Vec<&str> = lines[1_002].split(',').collect();
    fields[4] = fields[1];
    lines[1_002] = fields.join(",");
    let other = Tape::read(&market(lines.join("\n").into_bytes()), model.timeframe).unwrap();
    let step = follower.step(&model, &other, ends(1_002), ends(1_002), limits).unwrap();
    assert_eq!((step.predictions.len(), step.changed), (0, Some(ends(1_001))));
    let step = follower.step(&model, &other, ends(1_002), ends(1_002), limits).unwrap();
    assert_eq!(step.changed, None, "it is said once");
}

#[test]
fn old_bars_old_models_and_short_histories_are_refused() {
    let (fixture, _) = trained();
    let model = load(&fixture, 1);
    let tape = Tape::read(&request().data, model.timeframe).unwrap();
    let now = Timestamp::from_millis(model.version.created_at.millis() + 7_200_000);
    let refusal = |freshness| predict(&model, &tape, now, freshness).unwrap_err().to_string();
    let bar = refusal(AgeLimits { bar_ms: Some(3_600_000), model_ms: None });
    assert!(bar.starts_with("the newest closed bar is from 2017-09-14T14:40:00Z"), "{bar}");
    let old = refusal(AgeLimits { bar_ms: None, model_ms: Some(3_600_000) });
    assert!(old.contains("2.0 h ago: at most 60 min is allowed"), "{old}");

    let few = Tape::read(&longer(100), model.timeframe).unwrap();
    let error = predict(&model, &few, now, AgeLimits::default()).unwrap_err();
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
