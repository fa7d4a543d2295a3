//! What is undefined and what is truly zero, against the frozen list.

use herdbook_domain::Timeframe;
use herdbook_market::metrics::{
    Activity, SharpeEstimate, Trials, deflated_sharpe_ratio, expected_max_z,
    min_track_record_length, performance, win_rate,
};
use herdbook_market::{Bar, Bars, Position, Trade, metrics};
use serde_json::Value;

use crate::golden::{assert_close, cases, numbers, series};

/// Cases of a statistic that is not in this crate.
const ELSEWHERE: [&str; 1] = ["differential_sharpe"];

#[test]
fn undefined_is_none_and_zero_only_where_it_is_true() {
    let case = cases("edge_cases").remove(0);
    let mut n_checked = 0;
    for edge in ["undefined", "defined"].iter().flat_map(|key| case[*key].as_array().unwrap()) {
        let metric = edge["metric"].as_str().unwrap();
        if ELSEWHERE.contains(&metric) {
            continue;
        }
        let expected = edge.get("expected").unwrap_or(&edge["expected_last"]);
        assert_close(value(metric, edge), expected, 0.0, &edge.to_string());
        n_checked += 1;
    }
    assert_eq!(n_checked, 33);
}

fn value(metric: &str, edge: &Value) -> Option<f64> {
    if let Some(indicator) = metric.strip_suffix("_feature") {
        return indicator_value(indicator, edge);
    }
    if metric == "bars_per_year" {
        return bars_per_year(edge);
    }
    if ["min_track_record_length", "deflated_sharpe_ratio", "expected_max_z"].contains(&metric) {
        return sharpe_statistic(metric, edge);
    }
    let metric = if metric == "psr" { "probabilistic_sharpe_ratio" } else { metric };
    let found = performance(&equity(edge), &trades(edge), Activity::default(), Some(252.0));
    found.defined().iter().find(|(name, _)| *name == metric).map(|(_, value)| *value)
}

fn sharpe_statistic(metric: &str, edge: &Value) -> Option<f64> {
    let sharpe_per_bar = edge["sharpe_per_bar"].as_f64().unwrap_or(0.1);
    let estimate = SharpeEstimate { sharpe_per_bar, n_returns: 100, skew: 0.0, kurtosis: 3.0 };
    match metric {
        "min_track_record_length" => {
            min_track_record_length(&estimate, edge["target"].as_f64().unwrap(), 0.95)
        }
        "deflated_sharpe_ratio" => {
            let sharpes = edge["trial_sharpes"].as_array().unwrap();
            let sharpes: Vec<Option<f64>> = sharpes.iter().map(Value::as_f64).collect();
            deflated_sharpe_ratio(&estimate, Trials::of(&sharpes))
        }
        _ => expected_max_z(edge["n_trials"].as_f64().unwrap()),
    }
}

fn equity(edge: &Value) -> Vec<f64> {
    if edge["equity"].is_array() {
        return numbers(&edge["equity"]);
    }
    let mut equity = vec![100.0];
    if edge["returns"].is_array() {
        for r in numbers(&edge["returns"]) {
            equity.push(equity[equity.len() - 1] * (1.0 + r));
        }
    }
    equity
}

fn trades(edge: &Value) -> Vec<Trade> {
    let results = if edge["pnl"].is_array() { numbers(&edge["pnl"]) } else { vec![] };
    let trade = |result| Trade {
        entry_bar_idx: 0,
        exit_bar_idx: 1,
        side: Position::Short,
        entry_price: 1.0,
        exit_price: 1.0,
        result,
        equity_at_entry: 100.0,
    };
    results.into_iter().map(trade).collect()
}

fn indicator_value(name: &str, edge: &Value) -> Option<f64> {
    let column = if name == "volume_z" { "volume" } else { "close" };
    let bar = |value: f64| Bar {
        open_time_ms: 0,
        open: value,
        high: value,
        low: value,
        close: value,
        volume: value,
    };
    let bars: Vec<Bar> = numbers(&edge[column]).into_iter().map(bar).collect();
    let name = if name == "volume_z" { "volume_z_score" } else { name };
    series(name, &bars, 252.0).last().copied().flatten()
}

fn bars_per_year(edge: &Value) -> Option<f64> {
    let bar = |at: f64| Bar {
        open_time_ms: at as i64 * 1_000,
        open: 1.0,
        high: 1.0,
        low: 1.0,
        close: 1.0,
        volume: 0.0,
    };
    let bars = numbers(&edge["seconds"]).into_iter().map(bar).collect();
    Bars::new(Timeframe::Minute1, bars).unwrap().bars_per_year()
}

#[test]
fn inputs_that_are_not_finite_leave_every_metric_undefined() {
    for broken in [f64::NAN, f64::INFINITY] {
        let found = performance(&[100.0, broken, 101.0], &[], Activity::default(), Some(252.0));
        let names: Vec<&str> = found.defined().iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["n_returns", "total_trades", "exposure_time", "turnover"]);
        assert_eq!(win_rate(&[1.0, broken]), None);
        assert_eq!(metrics::profit_factor(&[1.0, -1.0, broken]), None);
    }
}

#[test]
fn without_bars_per_year_only_what_is_per_bar_is_defined() {
    let found = performance(&[100.0, 99.0, 103.0], &[], Activity::default(), None);
    assert_eq!((found.sharpe_ratio, found.volatility), (None, None));
    assert!(found.sharpe_per_bar.is_some() && found.max_drawdown.is_some());
}
