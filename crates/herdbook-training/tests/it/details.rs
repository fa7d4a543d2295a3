//! The details of a result: windows, simple rules, other costs, groups of bars, and the page about them.

use herdbook_domain::{BreachKind, Enhancement, ParentSelector, RunId, Timeframe};
use herdbook_training::{
    Backtest, BacktestOptions, Boundaries, DataSource, Details, GroupedBy, RegisteredModel,
    RuleKind, TrainRequest, WindowKind,
};

use crate::fixture::{Fixture, child, market, request, walk};

const DETAILS: &str = "evaluation/details.json";

fn backtest(fixture: &Fixture, source: &DataSource, options: BacktestOptions) -> Backtest {
    let model = RegisteredModel::load(&fixture.store, fixture.version(1)).unwrap();
    Backtest::run(&fixture.store, &model, source, options).unwrap()
}

fn close_to(left: Option<f64>, right: Option<f64>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => (left - right).abs() <= 1e-9 * right.abs().max(1.0),
        (left, right) => left == right,
    }
}

fn text(fixture: &Fixture, run_id: &RunId, artifact: &str) -> String {
    String::from_utf8(fixture.store.read_artifact(run_id, artifact).unwrap()).unwrap()
}

#[test]
fn windows_are_those_of_the_training_and_the_last_one_is_the_result() {
    let report = Fixture::new().train(request()).unwrap().run;
    let [train, validation, test] = report.details.windows[..] else { panic!() };
    assert_eq!(
        [train.kind, validation.kind, test.kind],
        [WindowKind::Training, WindowKind::Validation, WindowKind::Test]
    );
    // The features need the first bars of the training window.
    assert!(report.windows.train.start < train.window.start);
    assert_eq!(train.window.end, report.windows.train.end);
    assert_eq!([validation.window, test.window], [report.windows.validation, report.windows.test]);
    assert_eq!(test.model.total_return, report.performance.total_return);
    assert_eq!(test.buy_and_hold.sharpe_ratio, report.baselines.buy_and_hold.sharpe_ratio);
    let gap = report.details.gap.unwrap();
    assert_eq!(Some(gap.training), train.model.sharpe_ratio);
    assert_eq!((Some(gap.later), gap.to), (test.model.sharpe_ratio, WindowKind::Test));
}

#[test]
fn same_actions_cost_more_at_higher_costs_and_the_same_at_the_same() {
    let report = Fixture::new().train(request()).unwrap().run;
    let at = &report.details.at_costs;
    let multiples: Vec<f64> = at.iter().map(|found| found.multiple).collect();
    assert_eq!(multiples, [0.5, 1.0, 2.0, 5.0]);
    assert_eq!(at[1].model, report.details.windows[2].model);
    assert!(at[1].model.total_trades > 0);
    let returns: Vec<f64> = at.iter().filter_map(|found| found.model.total_return).collect();
    assert!(returns.is_sorted_by(|a, b| a > b), "{returns:?}");
    // The last action has no bar left to be filled at.
    assert_ne!(report.details.one_bar_later, at[1].model);
    let free = TrainRequest { cost_bps: 0.0, ..request() };
    assert!(Fixture::new().train(free).unwrap().run.details.at_costs.is_empty());
    // Five times these costs are more than can be charged.
    let dear = TrainRequest { cost_bps: 300.0, ..request() };
    assert_eq!(Fixture::new().train(dear).unwrap().run.details.at_costs.len(), 3);
}

#[test]
fn groups_hold_every_bar_once() {
    let report = Fixture::new().train(request()).unwrap().run;
    let test = report.details.windows[2].model;
    let kinds: Vec<GroupedBy> = report.details.breakdowns.iter().map(|found| found.by).collect();
    let expected = [
        GroupedBy::Volatility,
        GroupedBy::Trend,
        GroupedBy::Month,
        GroupedBy::Weekday,
        GroupedBy::Hour,
    ];
    assert_eq!(kinds, expected);
    for found in &report.details.breakdowns {
        let n_bars: usize = found.groups.iter().map(|group| group.n_bars).sum();
        assert_eq!(n_bars, test.n_returns, "{:?}", found.by);
        let growth: f64 = found.groups.iter().map(|group| 1.0 + group.total_return).product();
        assert!(close_to(Some(growth - 1.0), test.total_return), "{:?}", found.by);
    }
    let thirds: Vec<usize> =
        report.details.breakdowns[0].groups.iter().map(|group| group.n_bars).collect();
    assert!(thirds.iter().all(|n| n.abs_diff(test.n_returns / 3) <= 1), "{thirds:?}");
    assert_eq!(report.details.breakdowns[4].groups.len(), 24);
}

#[test]
fn daily_bars_have_the_known_moving_average_and_no_hours() {
    let daily = TrainRequest {
        timeframe: Timeframe::Day1,
        data: DataSource::sample(Timeframe::Day1).unwrap().0,
        ..request()
    };
    let report = Fixture::new().train(daily).unwrap().run;
    assert_eq!(report.details.breakdowns.len(), 3);
    // Computed from the file by another program with the rules of the account.
    let average = &report.details.rules[0];
    assert_eq!(average.choice, "mean of 20 over mean of 100, long or short");
    assert!((average.validation.total_return.unwrap() - 0.3026).abs() < 5e-5);
    assert!((average.result.total_return.unwrap() + 0.079_120_647_285_802_7).abs() < 1e-12);
    assert_eq!(average.result.total_trades, 9);
}

/// Test bars play no part in the choice of the rules.
#[test]
fn rules_are_chosen_without_the_test_bars() {
    let report = |bytes: Vec<u8>| {
        let request = TrainRequest { data: market(bytes), ..request() };
        Fixture::new().train(request).unwrap().run
    };
    let whole = walk(1_500, 1, 0.003);
    let one = report(whole.clone());
    // The same bars up to the test window, which then jumps and turns.
    let first_tested = one.windows.test.start.millis() / 1_000;
    let changed: Vec<String> = String::from_utf8(whole)
        .unwrap()
        .lines()
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let Ok(seconds) = cells[0].parse::<i64>() else { return line.to_owned() };
            if seconds < first_tested {
                return line.to_owned();
            }
            let turned = |cell: &str| 1e4 / cell.parse::<f64>().unwrap();
            let [open, high, low, close] = [cells[1], cells[3], cells[2], cells[4]].map(turned);
            format!("{seconds},{open},{high},{low},{close},{}", cells[5])
        })
        .collect();
    let other = report((changed.join("\n") + "\n").into_bytes());
    assert_eq!(one.windows, other.windows);
    let chosen = |details: &Details| -> Vec<_> {
        details.rules.iter().map(|rule| (rule.choice.clone(), rule.validation)).collect()
    };
    assert_eq!(chosen(&one.details), chosen(&other.details));
    assert_ne!(one.details.rules[0].result, other.details.rules[0].result);
}

/// Hourly bars that rise after a fall and fall after a rise.
fn zigzag(n_bars: usize) -> Vec<u8> {
    let mut csv = String::from("timestamp,open,high,low,close,volume\n");
    let mut rng = herdbook_training::Rng::new(5);
    let (mut price, mut last) = (100.0_f64, 0.0);
    for idx in 0..n_bars {
        let change = -0.7 * last + 0.003 * rng.normal();
        let (open, close) = (price, price * f64::exp(change));
        let (high, low) = (open.max(close), open.min(close));
        csv += &format!("{},{open},{high},{low},{close},1\n", 1_500_000_000 + idx * 3_600);
        (price, last) = (close, change);
    }
    csv.into_bytes()
}

#[test]
fn regression_finds_what_a_hardly_trained_model_misses_and_the_verdict_says_so() {
    let request = TrainRequest { data: market(zigzag(3_000)), timesteps: 256, ..request() };
    let report = Fixture::new().train(request).unwrap().run;
    let rule = report.details.rules.iter().find(|rule| rule.kind == RuleKind::LogisticRegression);
    let regression = rule.unwrap().result;
    assert!(regression.sharpe_ratio.unwrap() > 10.0, "{regression:?}");
    assert!(regression.total_return.unwrap() > report.performance.total_return.unwrap());
    let verdict = report.details.verdict(report.honesty, report.cost_bps);
    assert!(verdict.contains("logistic regression (+"), "{verdict}");
}

#[test]
fn backtest_runs_the_rules_of_the_training() {
    let fixture = Fixture::new();
    let trained = fixture.train(request()).unwrap().run;
    let from = Some(trained.windows.test.start);
    let found = backtest(&fixture, &request().data, BacktestOptions { from, cost_bps: None });
    let kinds: Vec<WindowKind> = found.details.windows.iter().map(|found| found.kind).collect();
    let expected =
        [WindowKind::Training, WindowKind::Validation, WindowKind::Test, WindowKind::Backtest];
    assert_eq!(kinds, expected);
    for (now, then) in found.details.rules.iter().zip(&trained.details.rules) {
        assert_eq!((now.kind, &now.choice), (then.kind, &then.choice));
        assert!(close_to(now.result.total_return, then.result.total_return));
    }
    assert_eq!(found.details.random, trained.details.random);
    assert!(found.notes.is_empty(), "{:?}", found.notes);
    // All bars were seen: the gap is the one to the test window.
    let seen = backtest(&fixture, &request().data, BacktestOptions::default());
    assert_eq!(seen.details.gap.unwrap().to, WindowKind::Test);
}

#[test]
fn missing_or_altered_details_are_named_and_not_used() {
    let fixture = Fixture::new();
    let run_id = fixture.train(request()).unwrap().run.run_id;
    let original = text(&fixture, &run_id, DETAILS);
    let notes = |contents: &str| {
        fixture.store.store_artifact(&run_id, DETAILS, contents.as_bytes()).unwrap();
        let found = backtest(&fixture, &request().data, BacktestOptions::default());
        let is_used = found.details.windows.len() > 1;
        (is_used, found.notes.join("; "))
    };
    assert_eq!(notes(&original), (true, String::new()));
    // A single digit, another version, and nothing.
    let digit = original.replacen("0.", "1.", 1);
    for altered in [digit.as_str(), "{\"v\":2}", ""] {
        let (is_used, told) = notes(altered);
        assert!(
            !is_used && told.contains("is not used: it was altered after the training"),
            "{told}"
        );
    }
    std::fs::remove_file(fixture.store.artifact_path(&run_id, DETAILS).unwrap()).unwrap();
    let found = backtest(&fixture, &request().data, BacktestOptions::default());
    assert!(found.notes[0].contains("has no file `evaluation/details.json`"), "{:?}", found.notes);
    assert!(found.details.rules.is_empty() && found.details.random.is_some());
}

#[test]
fn run_logs_the_other_windows_and_rules_as_metrics() {
    let fixture = Fixture::new();
    let report = fixture.train(request()).unwrap().run;
    let version = fixture.version(1);
    for (name, value) in [
        ("train_window/total_return", report.details.windows[0].model.total_return),
        ("validation_window/sharpe_ratio", report.details.windows[1].model.sharpe_ratio),
        ("baseline/moving_average_total_return", report.details.rules[0].result.total_return),
        ("baseline/logistic_regression_sharpe_ratio", report.details.rules[1].result.sharpe_ratio),
        ("baseline/random_total_return", report.details.random.map(|random| random.median)),
    ] {
        assert_eq!(version.metric(name), value, "{name}");
        assert!(value.is_some(), "{name}");
    }
}

#[test]
fn page_of_a_training_holds_all_its_pictures() {
    let fixture = Fixture::new();
    let base = fixture.train(request()).unwrap().run;
    let continued = child(ParentSelector::Latest, Enhancement::Continued);
    let child = fixture.train(continued).unwrap().run;
    for (run, n_pictures) in [(&base, 4), (&child, 5)] {
        let page = text(&fixture, &run.run_id, "report.html");
        assert_eq!(page.matches("<svg").count(), n_pictures);
        assert!(!page.contains("left out") && !page.contains("could not be drawn"));
        assert!(page.contains("<h2>The model beside simple rules (test window, same costs)</h2>"));
    }
}

#[test]
fn page_of_a_backtest_has_its_pictures_and_marks_seen_bars() {
    let fixture = Fixture::new();
    fixture.train(request()).unwrap();
    let source = DataSource { name: "<b>.csv".to_owned(), ..request().data };
    let page = backtest(&fixture, &source, BacktestOptions::default()).page("M").to_html();
    assert_eq!(page.matches("<svg").count(), 3);
    assert!(page.contains("CONTAMINATED") && page.contains("file &lt;b&gt;.csv"));
}

#[test]
fn short_windows_have_details_too() {
    let bytes = walk(323, 3, 0.003);
    let request =
        TrainRequest { data: market(bytes), boundaries: Boundaries::default(), ..request() };
    let report = Fixture::new().train(request).unwrap().run;
    assert_eq!(report.details.windows.len(), 3);
    assert_eq!(report.details.rules.len(), 2);
    assert!(report.details.rules.iter().all(|rule| rule.result.total_return.is_some()));
}

#[test]
fn every_stored_file_of_a_result_is_sealed_and_an_altered_one_is_found() {
    let fixture = Fixture::new();
    let run_id = fixture.train(request()).unwrap().run.run_id;
    let sealed = fixture.store.sealed_files(&run_id).unwrap();
    let paths: Vec<&str> = sealed.keys().map(String::as_str).collect();
    let expected = [
        "data/closes.bin",
        DETAILS,
        "evaluation/test_returns.npy",
        "pictures/actions.svg",
        "pictures/equity.svg",
        "pictures/learning.svg",
        "pictures/trades.svg",
        "report.html",
    ];
    assert_eq!(paths, expected);
    let found = || fixture.store.verify().unwrap();
    assert!(found().breaches.is_empty());
    for path in paths {
        let original = fixture.store.read_artifact(&run_id, path).unwrap();
        let altered = [&original[..], b" "].concat();
        fixture.store.store_artifact(&run_id, path, &altered).unwrap();
        let breaches = found().breaches;
        assert_eq!(breaches.len(), 1, "{path}: {breaches:#?}");
        assert_eq!(breaches[0].kind, BreachKind::EvidenceFile);
        fixture.store.store_artifact(&run_id, path, &original).unwrap();
    }
    assert!(found().breaches.is_empty());
}
