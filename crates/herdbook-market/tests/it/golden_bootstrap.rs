//! The bootstrap of the Sharpe ratio against arch, and its own arithmetic.

use herdbook_market::metrics::{
    optimal_block, returns, sharpe_interval, sharpe_interval_of, sharpe_per_bar, stationary_indices,
};
use serde_json::Value;

use crate::golden::{assert_close, cases, numbers, slice};

fn case(id: &str) -> Value {
    cases("bootstrap").into_iter().find(|case| case["id"] == id).unwrap()
}

fn returns_of(case: &Value) -> Vec<f64> {
    let closes: Vec<f64> = slice(case).iter().map(|bar| bar.close).collect();
    returns(&closes).unwrap()
}

#[test]
fn indices_of_a_resample_are_those_of_the_definition() {
    let case = case("bootstrap/ibm_2009/indices");
    let starts: Vec<usize> =
        numbers(&case["input"]["starts"]).into_iter().map(|start| start as usize).collect();
    let found = stationary_indices(&starts, &numbers(&case["input"]["uniforms"]), 6.0);
    let expected = &case["expected"];
    let indices = numbers(&expected["stationary_indices"]);
    assert!(found.iter().zip(&indices).all(|(found, index)| *found == *index as usize));
    let returns = returns_of(&case);
    let resample: Vec<f64> = found.iter().map(|idx| returns[*idx]).collect();
    let what = "Sharpe ratio of the resample";
    assert_close(sharpe_per_bar(&resample), &expected["stationary_sharpe_per_bar"], 0.0, what);
}

#[test]
fn best_block_length_is_that_of_arch() {
    let case = case("bootstrap/ibm_2009/block_length");
    let found = optimal_block(&returns_of(&case));
    assert_close(found, &case["expected"]["stationary_block"], 10.0, "block length");
}

#[test]
fn interval_agrees_with_other_sources_up_to_chance() {
    let case = case("bootstrap/ibm_2009/sharpe_interval");
    let bars_per_year = case["params"]["bars_per_year"].as_f64().unwrap();
    let found = sharpe_interval_of(&returns_of(&case), bars_per_year, 6.0).unwrap();
    let tolerance = case["tolerance"]["abs"].as_f64().unwrap();
    for (found, name) in [(found.low, "low"), (found.high, "high")] {
        let expected = case["expected"][name].as_f64().unwrap();
        assert!((found - expected).abs() <= tolerance, "{name}: {found} for {expected}");
    }
}

#[test]
fn long_blocks_drawn_by_their_length_give_the_same_interval_as_bar_by_bar() {
    let case = case("bootstrap/ibm_2009/sharpe_interval");
    let returns = returns_of(&case);
    // Just above and just below the length at which the way of drawing changes.
    let [by_bar, by_length] =
        [19.9, 20.1].map(|block| sharpe_interval_of(&returns, 252.0, block).unwrap());
    assert!((by_bar.low - by_length.low).abs() < 0.08, "{by_bar:?} {by_length:?}");
    assert!((by_bar.high - by_length.high).abs() < 0.08, "{by_bar:?} {by_length:?}");
}

#[test]
fn interval_is_undefined_where_the_ratio_is_or_too_little_is_known() {
    assert_eq!(sharpe_interval(&[0.001; 100], 252.0), None);
    assert_eq!(sharpe_interval(&[0.01, -0.01, 0.02], 252.0), None);
    let mut returns: Vec<f64> = (0..100).map(|i| f64::from(i * i % 101) * 1e-3).collect();
    assert!(sharpe_interval(&returns, 252.0).is_some());
    returns[50] = f64::NAN;
    assert_eq!(sharpe_interval(&returns, 252.0), None);
}
