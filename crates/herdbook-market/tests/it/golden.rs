//! Metrics and indicators against values computed elsewhere with 50 digits.

use herdbook_domain::Timeframe;
use herdbook_market::indicators::{
    Atr, LogReturn, Macd, MacdValue, PercentB, RealisedVolatility, Rsi, VolumeZScore,
};
use herdbook_market::metrics::{Activity, Performance, exposure_time, performance, turnover};
use herdbook_market::{Bar, Bars, Position, Trade};
use serde_json::Value;

use crate::data;

/// Relative difference allowed between 64-bit floats and 50 digits.
const TOLERANCE: f64 = 1e-9;

/// The cases of one group; at least one, so that no group is skipped without notice.
pub(crate) fn cases(group: &str) -> Vec<Value> {
    let golden = data::golden();
    let of_group = |case: &&Value| case["group"] == group;
    let cases: Vec<Value> =
        golden["cases"].as_array().unwrap().iter().filter(of_group).cloned().collect();
    assert!(!cases.is_empty(), "{group}");
    cases
}

pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// Compares a value, defined or not, with the expected one.
pub(crate) fn assert_close(found: Option<f64>, expected: &Value, scale: f64, what: &str) {
    match (found, expected.as_f64()) {
        (Some(found), Some(expected)) => {
            let allowed = TOLERANCE * scale.max(expected.abs());
            assert!((found - expected).abs() <= allowed, "{what}: {found} for {expected}");
        }
        (None, None) => {}
        (found, expected) => panic!("{what}: {found:?} for {expected:?}"),
    }
}

/// The bars of a case's slice.
pub(crate) fn slice(case: &Value) -> Vec<Bar> {
    let input = &case["input"];
    let bars = data::raw_bars(input["file"].as_str().unwrap()).as_slice().to_vec();
    let Some(skip) = input["skip_rows"].as_u64() else {
        return bars;
    };
    let take = input["take_rows"].as_u64().unwrap();
    let slice: Vec<Bar> = bars.into_iter().skip(skip as usize).take(take as usize).collect();
    let sum: f64 = slice.iter().map(|bar| bar.close).sum();
    assert_close(Some(sum), &input["sum_of_closes"], 0.0, "sum of closes");
    slice
}

fn id(case: &Value) -> &str {
    case["id"].as_str().unwrap()
}

#[test]
fn bars_per_year_are_counted_over_whole_weeks() {
    for case in cases("bars_per_year") {
        let seconds = case["params"]["bar_seconds"].as_u64().unwrap();
        let timeframe =
            Timeframe::ALL.iter().find(|it| u64::from(it.seconds()) == seconds).unwrap();
        let bars = Bars::new(*timeframe, slice(&case)).unwrap();
        assert_close(bars.bars_per_year(), &case["expected"]["bars_per_year"], 0.0, id(&case));
    }
}

#[test]
fn performance_agrees_with_other_sources() {
    for case in cases("performance") {
        let equity = match &case["input"]["equity"] {
            Value::Array(_) => numbers(&case["input"]["equity"]),
            _ => slice(&case).iter().map(|bar| bar.close).collect(),
        };
        let bars_per_year = case["params"]["bars_per_year"].as_f64();
        let found = performance(&equity, &[], Activity::default(), bars_per_year);
        assert_metrics(&found, &case);
    }
}

#[test]
fn trade_metrics_agree_with_other_sources() {
    for case in cases("trades") {
        let results = numbers(&case["input"]["pnl"]);
        let on_equity = numbers(&case["input"]["return_on_equity"]);
        let trades: Vec<Trade> = results.iter().zip(&on_equity).map(trade).collect();
        let found = performance(&[1.0, 1.0], &trades, Activity::default(), None);
        assert_metrics(&found, &case);
    }
}

/// A trade of a result and its share of the equity at entry.
fn trade((result, on_equity): (&f64, &f64)) -> Trade {
    let equity_at_entry = if *on_equity == 0.0 { 1.0 } else { result / on_equity };
    Trade {
        entry_bar_idx: 0,
        exit_bar_idx: 1,
        side: Position::Long,
        entry_price: 1.0,
        exit_price: 1.0,
        result: *result,
        equity_at_entry,
    }
}

fn assert_metrics(found: &Performance, case: &Value) {
    let defined = found.defined();
    for (name, expected) in case["expected"].as_object().unwrap() {
        let name = match name.as_str() {
            "skewness" => "skew",
            "psr_0" => "probabilistic_sharpe_ratio",
            name => name,
        };
        let value = defined.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        assert_close(value, expected, 0.0, &format!("{} {name}", id(case)));
    }
}

#[test]
fn activity_counts_bars_held_and_both_sides_of_a_trade() {
    for case in cases("activity") {
        let (input, expected) = (&case["input"], &case["expected"]);
        let held = numbers(&input["units_held"]);
        let n_exposed = held.iter().filter(|units| **units != 0.0).count();
        let exposure = exposure_time(n_exposed as u64, held.len());
        assert_close(exposure, &expected["exposure_time"], 0.0, "exposure_time");
        let [units, price, equity] =
            ["units_traded", "fill_price", "equity_before_fill"].map(|name| numbers(&input[name]));
        let traded = (0..held.len()).map(|idx| units[idx].abs() * price[idx] / equity[idx]).sum();
        let bars_per_year = case["params"]["bars_per_year"].as_f64().unwrap();
        let found = turnover(traded, held.len(), bars_per_year);
        assert_close(found, &expected["turnover"], 0.0, "turnover");
    }
}

#[test]
fn indicators_agree_with_other_sources() {
    for case in cases("indicator") {
        let bars = slice(&case);
        let name = id(&case).rsplit('/').next().unwrap();
        let bars_per_year = case["params"]["bars_per_year"].as_f64().unwrap_or(f64::NAN);
        assert_series(&series(name, &bars, bars_per_year), &case);
    }
}

/// An indicator over bars, by the name of its case.
pub(crate) fn series(name: &str, bars: &[Bar], bars_per_year: f64) -> Vec<Option<f64>> {
    let mut log_return = LogReturn::new();
    let mut rsi = Rsi::new(14);
    let mut atr = Atr::new(14);
    let mut macd = Macd::new(12, 26, 9);
    let mut percent_b = PercentB::new(20, 2.0);
    let mut volume_z_score = VolumeZScore::new(20);
    let mut volatility = RealisedVolatility::new(20, bars_per_year);
    let push = |bar: &Bar| match name {
        "log_return" => log_return.push(bar.close),
        "rsi" => rsi.push(bar.close),
        "atr" => atr.push(bar),
        "macd_line" => macd.push(bar.close).map(|macd| macd.line),
        "macd_signal" => macd.push(bar.close).and_then(|macd| macd.signal),
        "macd_histogram" => macd.push(bar.close).and_then(MacdValue::histogram),
        "percent_b" => percent_b.push(bar.close),
        "volume_z_score" => volume_z_score.push(bar.volume),
        "realised_volatility" => volatility.push(bar.close),
        other => panic!("{other}"),
    };
    bars.iter().map(push).collect()
}

fn assert_series(found: &[Option<f64>], case: &Value) {
    let expected = &case["expected"];
    let first = expected["first_defined"].as_u64().unwrap() as usize;
    assert!(found[..first].iter().all(Option::is_none), "{}", id(case));
    assert!(found[first..].iter().all(Option::is_some), "{}", id(case));
    let largest = found.iter().flatten().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    for (idx, value) in expected["at"].as_object().unwrap() {
        let idx: usize = idx.parse().unwrap();
        assert_close(found[idx], value, largest, &format!("{} {idx}", id(case)));
    }
    let sum: f64 = found.iter().flatten().sum();
    let n_defined = expected["n_defined"].as_u64().unwrap();
    assert_eq!(found.iter().flatten().count() as u64, n_defined);
    assert_close(Some(sum), &expected["sum_of_defined"], largest, id(case));
}
