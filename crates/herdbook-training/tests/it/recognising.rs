//! Bars are recognised by content, whatever their name and times are; and the instrument and jumps of files.

use herdbook_domain::{
    Enhancement, Honesty, ParentSelector, Symbol, Timestamp, VersionNumber, window_params,
};
use herdbook_training::{
    Backtest, BacktestOptions, DataSource, Jumps, MarketError, Naming, RegisteredModel,
    TrainRequest, TrainingError, evaluate, evaluate_and_record,
};

use crate::fixture::{Fixture, child, market, request, walk};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// The rows of CSV bars, with times moved by seconds and prices multiplied.
fn changed(csv: &[u8], seconds: i64, factor: f64) -> Vec<u8> {
    let mut text = String::new();
    for (idx, line) in std::str::from_utf8(csv).unwrap().lines().enumerate() {
        if idx == 0 {
            text += &format!("{line}\n");
            continue;
        }
        let cells: Vec<&str> = line.split(',').collect();
        let time = cells[0].parse::<i64>().unwrap() + seconds;
        let price = |cell: &str| cell.parse::<f64>().unwrap() * factor;
        let (open, high) = (price(cells[1]), price(cells[2]));
        let (low, close) = (price(cells[3]), price(cells[4]));
        text += &format!("{time},{open},{high},{low},{close},{}\n", cells[5]);
    }
    text.into_bytes()
}

fn named(symbol: &str, bytes: Vec<u8>) -> DataSource {
    DataSource { symbol: Symbol::parse(symbol).unwrap(), ..market(bytes) }
}

fn model(fixture: &Fixture, version: i64) -> RegisteredModel {
    RegisteredModel::load(&fixture.store, fixture.version(version)).unwrap()
}

fn backtest(fixture: &Fixture, source: &DataSource) -> Result<Backtest, TrainingError> {
    Backtest::run(&fixture.store, &model(fixture, 1), source, BacktestOptions::default())
}

#[test]
fn training_bars_are_seen_under_any_name_and_at_any_time() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let bars = walk(1_500, 1, 0.003);
    let as_it_is = backtest(&fixture, &market(bars.clone())).unwrap();
    assert_eq!((as_it_is.honesty, as_it_is.recognised.as_deref()), (Honesty::Contaminated, None));
    for (seconds, expected) in [
        (0, "bars of WALK"),
        (DAY, "bars of WALK, given times 1 d later"),
        (364 * DAY, "bars of WALK, given times 364 d later"),
        (-90 * 60, "bars of WALK, given times 90 min earlier"),
        (3_650 * DAY, "bars of WALK, given times 3650 d later"),
    ] {
        let copy = named("WALK_B", changed(&bars, seconds, 7.0));
        let found = backtest(&fixture, &copy).unwrap();
        assert_eq!(found.honesty, Honesty::Contaminated, "{seconds}");
        assert_eq!(found.recognised.as_deref(), Some(expected));
        // The test window is not seen. Each window counts with a bar more.
        assert!(
            found.n_seen.abs_diff(as_it_is.n_seen) <= 2,
            "{} {}",
            found.n_seen,
            as_it_is.n_seen
        );
        assert!(!found.evidence().is_evidence());
    }
    let other = named("OTHER", walk(1_500, 2, 0.003));
    let found = backtest(&fixture, &other).unwrap();
    assert_eq!((found.honesty, found.n_seen, found.recognised), (Honesty::Clean, 0, None));
}

#[test]
fn bars_shifted_into_the_future_are_not_new() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let shifted = changed(&walk(1_500, 1, 0.003), 364 * DAY, 1.0);
    for name in ["WALK", "WALK_B"] {
        let source = named(name, shifted.clone());
        let error = evaluate(&fixture.store, &model(&fixture, 1), &source, None).unwrap_err();
        assert!(matches!(error, TrainingError::KnownBars { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("(they are bars of WALK, given times 364 d later)"), "{text}");
    }
    assert!(fixture.store.evaluations(&fixture.version(1).key).unwrap().is_empty());
}

#[test]
fn bars_of_an_earlier_evaluation_are_shown_before_at_any_time() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let longer = walk(2_500, 1, 0.003);
    let data = market(longer.clone());
    evaluate_and_record(&fixture.store, &model(&fixture, 1), &data, None).unwrap();
    // Only the bars after the training, under later times.
    let lines: Vec<&str> = std::str::from_utf8(&longer).unwrap().lines().collect();
    let later = [&lines[..1], &lines[1_502..]].concat().join("\n");
    let again = named("WALK", changed(later.as_bytes(), 500 * DAY, 3.0));
    let again = evaluate(&fixture.store, &model(&fixture, 1), &again, None).unwrap();
    assert_eq!(again.evaluation.n_shown_before, again.evaluation.n_bars);
}

#[test]
fn child_tested_on_the_parents_training_bars_under_another_time_is_refused() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let first = ParentSelector::Version(VersionNumber::FIRST);
    let data = market(changed(&walk(1_500, 1, 0.003)[..], 900 * DAY, 2.0));
    let child = child(first, Enhancement::Continued);
    // The default split has the parent's test bars in the test window, the parent's training bars elsewhere.
    let clean = fixture.train(TrainRequest { data: data.clone(), ..child.clone() }).unwrap();
    assert_eq!(clean.run.honesty, Honesty::Clean);
    let mut boundaries = child.boundaries;
    let at = |bar: i64| Some((1_500_000_000 + bar * HOUR + 900 * DAY) * 1_000);
    (boundaries.validation_from_ms, boundaries.test_from_ms) = (at(500), at(700));
    let error = fixture.train(TrainRequest { data, boundaries, ..child }).unwrap_err();
    assert!(matches!(error, TrainingError::Contaminated { .. }), "{error}");
    assert!(error.to_string().contains("bars of WALK, given times 900 d later"), "{error}");
}

#[test]
fn sealed_hash_of_closes_is_used_after_its_parameter_is_deleted() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let database = rusqlite::Connection::open(fixture.folder.path().join("mlflow.db")).unwrap();
    let key = window_params::CLOSES_SHA256;
    assert_eq!(database.execute("DELETE FROM params WHERE key = ?1", [key]).unwrap(), 1);
    let other = backtest(&fixture, &named("WALK_B", walk(1_500, 1, 0.003))).unwrap();
    assert_eq!(other.honesty, Honesty::Contaminated);
}

#[test]
fn nothing_is_clean_or_evidence_where_the_file_of_closes_is_lost() {
    let fixture = Fixture::new();
    let report = fixture.train(request()).unwrap();
    let artifacts = fixture.store.artifacts(&report.run.run_id).unwrap();
    let later = market(changed(&walk(1_500, 1, 0.003), 900 * DAY, 1.0));
    for altered in [Some(b"altered".as_slice()), None] {
        artifacts.remove(herdbook_training::CLOSES_ARTIFACT).unwrap();
        if let Some(mut bytes) = altered {
            artifacts.put(herdbook_training::CLOSES_ARTIFACT, &mut bytes).unwrap();
        }
        for source in [&named("WALK_B", walk(1_500, 1, 0.003)), &later] {
            let found = backtest(&fixture, source).unwrap();
            assert_eq!(found.honesty, Honesty::Unknown);
            assert!(found.notes.iter().any(|note| note.contains("missing or altered")));
        }
        // The training bars under later times: without the file nothing shows that they are.
        let found = evaluate(&fixture.store, &model(&fixture, 1), &later, None).unwrap();
        assert!(!found.evaluation.is_lineage_known);
        // At their own times they are known by these.
        let same = backtest(&fixture, &market(walk(1_500, 1, 0.003))).unwrap();
        assert_eq!(same.honesty, Honesty::Contaminated);
    }
}

#[test]
fn bars_that_contradict_the_known_ones_of_their_symbol_are_refused() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let error = backtest(&fixture, &market(walk(1_500, 2, 0.003))).unwrap_err();
    assert!(matches!(error, TrainingError::ContradictingBars { .. }), "{error}");
    let error = fixture.train(TrainRequest { data: market(walk(1_500, 2, 0.003)), ..request() });
    assert!(matches!(error, Err(TrainingError::ContradictingBars { .. })), "{error:?}");
    // Times of a wrong zone.
    let error = backtest(&fixture, &market(changed(&walk(1_500, 1, 0.003), 5 * HOUR, 1.0)));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("have times 5.0 h earlier there"), "{error}");
    // Another vendor.
    backtest(&fixture, &market(changed(&walk(1_500, 1, 0.003), 0, 1.000_3))).unwrap();
}

#[test]
fn evidence_needs_bars_whose_instrument_is_known() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let model = model(&fixture, 1);
    let of_model = |name: &str, bytes: Vec<u8>| DataSource {
        name: name.to_owned(),
        naming: Naming::OfModel,
        ..market(bytes)
    };
    // The overlap with the bars of the training tells the instrument.
    evaluate(&fixture.store, &model, &of_model("new.csv", walk(2_500, 1, 0.003)), None).unwrap();
    // Nothing does.
    let later = changed(&walk(900, 3, 0.003), 400 * DAY, 1.0);
    let unnamed = of_model("new.csv", later.clone());
    let error = evaluate(&fixture.store, &model, &unnamed, None).unwrap_err();
    assert!(matches!(error, TrainingError::UnnamedInstrument { .. }), "{error}");
    let found = backtest(&fixture, &unnamed).unwrap();
    assert!(found.notes[0].contains("WALK is assumed"), "{:?}", found.notes);
    // The name of the file does, or the user.
    evaluate(&fixture.store, &model, &of_model("walk-2.csv", later.clone()), None).unwrap();
    evaluate(&fixture.store, &model, &market(later.clone()), None).unwrap();
    // A column of the file names another one.
    let text = String::from_utf8(later).unwrap();
    let rows: Vec<String> = text
        .lines()
        .enumerate()
        .map(|(idx, line)| format!("{line},{}", if idx == 0 { "symbol" } else { "IBM" }))
        .collect();
    let other = of_model("walk.csv", rows.join("\n").into_bytes());
    let error = evaluate(&fixture.store, &model, &other, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the bars in `walk.csv` are of `IBM`, but the model was trained on WALK"
    );
}

#[test]
fn jump_like_a_split_is_refused_or_recorded() {
    let fixture = Fixture::new();
    let text = String::from_utf8(walk(1_500, 1, 0.003)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let before = [&lines[..1], &lines[1..1_001]].concat().join("\n");
    let after = [&lines[..1], &lines[1_001..]].concat().join("\n");
    let after = String::from_utf8(changed(after.as_bytes(), 0, 0.1)).unwrap();
    let bytes = format!("{before}\n{}", &after[after.find('\n').unwrap() + 1..]).into_bytes();
    let refused = DataSource { jumps: Jumps::Refused, ..market(bytes.clone()) };
    let error = TrainRequest { data: refused.clone(), ..request() }.prepare().unwrap_err();
    assert!(matches!(error, TrainingError::Market(MarketError::Jumps { .. })), "{error}");
    assert_eq!(
        error.to_string(),
        "the price in `walk.csv` jumps like that of a share that was split: 2017-08-24T18:40:00Z (10:1): give prices \
         adjusted for splits, or use them as they are with `--allow-jump`"
    );
    let report = fixture.train(TrainRequest { data: market(bytes.clone()), ..request() }).unwrap();
    let run = fixture.store.run(&report.run.run_id).unwrap();
    assert_eq!(run.params[window_params::ALLOWED_JUMPS], "2017-08-24T18:40:00Z (10:1)");
    assert!(backtest(&fixture, &refused).is_err());
    let found = backtest(&fixture, &market(bytes)).unwrap();
    assert_eq!(found.allowed_jumps, ["2017-08-24T18:40:00Z (10:1)"]);
    // A result on bars long after the jump is not affected.
    let options = BacktestOptions {
        from: Some(Timestamp::from_millis(1_505_000_000_000)),
        ..BacktestOptions::default()
    };
    Backtest::run(&fixture.store, &model(&fixture, 1), &refused, options).unwrap();
}

#[test]
fn bars_that_have_not_ended_are_left_out_and_future_ones_refused() {
    let bytes = walk(1_500, 1, 0.003);
    let last = 1_500_000_000 + 1_499 * HOUR;
    let at = |seconds: i64| DataSource {
        clock: Some(Timestamp::from_millis(seconds * 1_000)),
        ..market(bytes.clone())
    };
    let n_bars = |seconds| {
        let request = TrainRequest { data: at(seconds), ..request() };
        request.prepare().map(|prepared| prepared.market().tape.bars.len())
    };
    assert_eq!(n_bars(last + HOUR).unwrap(), 1_500);
    assert_eq!(n_bars(last + HOUR - 1).unwrap(), 1_499);
    let error = n_bars(last - 365 * DAY).unwrap_err();
    assert!(matches!(error, TrainingError::Market(MarketError::FutureBars { .. })), "{error}");
}
