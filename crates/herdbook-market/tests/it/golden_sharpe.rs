//! Whether a Sharpe ratio is real: against values with 50 digits, and against the figures the papers print.

use herdbook_market::metrics::{
    SharpeEstimate, Trials, deflated_sharpe_ratio, expected_max_sharpe, expected_max_z,
    min_track_record_length, probabilistic_sharpe_ratio,
};
use serde_json::Value;

use crate::golden::{assert_close, cases, numbers};

fn case(group: &str, id: &str) -> Value {
    cases(group).into_iter().find(|case| case["id"] == id).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn estimate(sharpe_per_bar: f64, n_returns: &Value, shape: Option<&Value>) -> SharpeEstimate {
    let of = |key: &str, normal| shape.map_or(normal, |shape| number(&shape[key]));
    let n_returns = n_returns.as_u64().unwrap() as usize;
    SharpeEstimate {
        sharpe_per_bar,
        n_returns,
        skew: of("skewness", 0.0),
        kurtosis: of("kurtosis", 3.0),
    }
}

#[test]
fn deflated_sharpe_ratio_agrees_with_other_sources() {
    let case = case("deflated_sharpe", "deflated_sharpe/sma_grid");
    let (input, expected) = (&case["input"], &case["expected"]);
    let sharpes = numbers(&input["trial_sharpes_per_bar"]);
    let picked = estimate(sharpes[0], &input["n_returns"], Some(input));
    let trials = Trials::of(&sharpes.into_iter().map(Some).collect::<Vec<_>>());
    let effective = trials.effective(number(&input["mean_correlation"]));
    let luck = expected_max_sharpe(trials).unwrap();
    for (name, found) in [
        ("variance_of_trials", trials.variance),
        ("expected_max_z", expected_max_z(trials.count)),
        ("expected_max_sharpe", expected_max_sharpe(trials)),
        ("psr_0", probabilistic_sharpe_ratio(&picked, 0.0)),
        ("deflated_sharpe_ratio", deflated_sharpe_ratio(&picked, trials)),
        ("effective_trials", Some(effective.count)),
        ("expected_max_sharpe_effective", expected_max_sharpe(effective)),
        ("deflated_sharpe_ratio_effective", deflated_sharpe_ratio(&picked, effective)),
        ("min_track_record_length", min_track_record_length(&picked, luck, 0.95)),
    ] {
        assert_close(found, &expected[name], 0.0, name);
    }
}

#[test]
fn luck_of_the_best_of_many_follows_the_table() {
    let case = case("deflated_sharpe", "expected_max_z/table");
    let counts = numbers(&case["input"]["n_trials"]);
    for (count, expected) in
        counts.iter().zip(case["expected"]["expected_max_z"].as_array().unwrap())
    {
        assert_close(expected_max_z(*count), expected, 0.0, &count.to_string());
    }
    assert_eq!(expected_max_z(0.5), None);
}

#[test]
fn example_of_the_paper_on_deflation_comes_out_as_printed() {
    let case = case("published", "published/dsr_2014");
    let (params, expected) = (&case["params"], &case["expected"]);
    let per_year = number(&params["periods_per_year"]);
    let sharpe = number(&params["sharpe_annual"]) / per_year.sqrt();
    let fat = estimate(sharpe, &params["n_returns"], Some(params));
    let normal = estimate(sharpe, &params["n_returns"], None);
    let variance = Some(number(&params["variance_of_trials_annual"]) / per_year);
    let of = |count| Trials { count, variance };
    for (name, found) in [
        ("expected_max_sharpe", expected_max_sharpe(of(100.0))),
        ("deflated_sharpe_ratio", deflated_sharpe_ratio(&fat, of(100.0))),
        ("deflated_sharpe_ratio_46_trials", deflated_sharpe_ratio(&fat, of(46.0))),
        ("deflated_sharpe_ratio_normal_88_trials", deflated_sharpe_ratio(&normal, of(88.0))),
    ] {
        assert_close(found, &expected[name], 0.0, name);
    }
}

#[test]
fn examples_of_the_paper_on_track_records_come_out_as_printed() {
    let psr = case("published", "published/psr_2012");
    let (params, expected) = (&psr["params"], &psr["expected"]);
    let sharpe = number(&params["sharpe_per_month"]);
    for (name, shape) in [("psr_0_normal", None), ("psr_0", Some(params))] {
        let found = estimate(sharpe, &params["n_returns"], shape);
        assert_close(probabilistic_sharpe_ratio(&found, 0.0), &expected[name], 0.0, name);
    }
    let length = case("published", "published/min_trl_2012");
    let (params, expected) = (&length["params"], &length["expected"]);
    let fat = (number(&params["monthly_skewness"]), number(&params["monthly_kurtosis"]));
    for (name, per_year, (skew, kurtosis)) in [
        ("years_daily_normal", 252.0, (0.0, 3.0)),
        ("years_weekly_normal", 52.0, (0.0, 3.0)),
        ("years_monthly_normal", 12.0, (0.0, 3.0)),
        ("years_monthly_fat", 12.0, fat),
    ] {
        let per_bar = |annual: &str| number(&params[annual]) / f64::sqrt(per_year);
        let sharpe_per_bar = per_bar("sharpe_annual");
        let estimate = SharpeEstimate { sharpe_per_bar, n_returns: 2, skew, kurtosis };
        let bars = min_track_record_length(&estimate, per_bar("target_annual"), 0.95);
        assert_close(bars.map(|bars| bars / per_year), &expected[name], 0.0, name);
    }
}

#[test]
fn certainty_grows_with_the_record_and_meets_the_confidence_at_its_least_length() {
    let of =
        |n_returns| SharpeEstimate { sharpe_per_bar: 0.1, n_returns, skew: -0.5, kurtosis: 6.0 };
    let probability = |n| probabilistic_sharpe_ratio(&of(n), 0.0).unwrap();
    assert!(probability(100) < probability(200));
    let least = min_track_record_length(&of(2), 0.0, 0.95).unwrap();
    assert!(probability(least.floor() as usize) < 0.95);
    assert!(probability(least.ceil() as usize) >= 0.95);
    assert_eq!(probabilistic_sharpe_ratio(&of(1), 0.0), None);
    assert_eq!(probabilistic_sharpe_ratio(&of(0), 0.0), None);
}
