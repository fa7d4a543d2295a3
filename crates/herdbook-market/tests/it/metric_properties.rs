//! Metrics against their definition, written the slow way.

use herdbook_market::indicators::{Atr, RollingWindow, Rsi, standard_deviation};
use herdbook_market::metrics::{
    Activity, SharpeEstimate, Trials, annualised_return, conditional_value_at_risk,
    deflated_sharpe_ratio, expectancy, kurtosis, max_drawdown, max_drawdown_duration, payoff_ratio,
    performance, probabilistic_sharpe_ratio, profit_factor, returns, sharpe_interval,
    sharpe_per_bar, skew, total_return, value_at_risk, win_rate,
};
use proptest::prelude::*;

use crate::data;

fn equity() -> impl Strategy<Value = Vec<f64>> {
    (1.0..1e6_f64, prop::collection::vec(-0.2..0.25_f64, 1..120)).prop_map(|(first, returns)| {
        let mut equity = vec![first];
        for change in returns {
            equity.push(equity[equity.len() - 1] * (1.0 + change));
        }
        equity
    })
}

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-9 * expected.abs().max(1.0)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn prop_drawdown_is_the_deepest_fall_between_any_two_closes(equity in equity()) {
        let mut deepest = 0.0_f64;
        for (idx, peak) in equity.iter().enumerate() {
            for later in &equity[idx..] {
                deepest = deepest.max(1.0 - later / peak);
            }
        }
        let found = max_drawdown(&equity).unwrap();
        prop_assert!(close(found, deepest) && (0.0..=1.0).contains(&found), "{} {}", found, deepest);
    }

    #[test]
    fn prop_drawdown_lasts_as_long_as_no_close_reaches_an_earlier_one(equity in equity()) {
        let is_below = |idx: usize| equity[..idx].iter().any(|earlier| equity[idx] < *earlier);
        let below: Vec<bool> = (0..equity.len()).map(is_below).collect();
        let longest = below.split(|is_below| !is_below).map(<[bool]>::len).max();
        prop_assert_eq!(max_drawdown_duration(&equity), longest);
    }

    #[test]
    fn prop_currency_does_not_change_a_metric_that_is_a_ratio(equity in equity(), shift in -8..8_i32) {
        // A power of two, so that the scaling itself does not round.
        let scale = 2_f64.powi(shift);
        let scaled: Vec<f64> = equity.iter().map(|value| value * scale).collect();
        let of = |equity: &[f64]| performance(equity, &[], Activity::default(), Some(252.0));
        prop_assert_eq!(of(&scaled), of(&equity));
    }

    #[test]
    fn prop_one_year_of_returns_is_annualised_to_itself(equity in equity()) {
        let bars_per_year = (equity.len() - 1) as f64;
        let (year, total) = (annualised_return(&equity, bars_per_year), total_return(&equity));
        prop_assert!(close(year.unwrap(), total.unwrap()), "{:?} {:?}", year, total);
    }

    #[test]
    fn prop_value_at_risk_is_exceeded_by_at_most_one_in_twenty_and_the_tail_is_worse(equity in equity()) {
        let returns = returns(&equity).unwrap();
        let Some(var) = value_at_risk(&returns) else {
            prop_assert!(returns.len() < 20);
            return Ok(());
        };
        let n_beyond = returns.iter().filter(|r| **r < -var).count();
        prop_assert!(n_beyond as f64 <= 0.05 * (returns.len() - 1) as f64 + 1.0, "{}", n_beyond);
        prop_assert!(conditional_value_at_risk(&returns).unwrap() >= var - 1e-12);
    }

    #[test]
    fn prop_metrics_of_trades_agree_with_one_another(results in prop::collection::vec(-100_i32..100, 1..60)) {
        let results: Vec<f64> = results.into_iter().map(f64::from).collect();
        let wins = || results.iter().filter(|it| **it > 0.0);
        let losses = || results.iter().filter(|it| **it < 0.0);
        prop_assert!(close(expectancy(&results).unwrap() * results.len() as f64, results.iter().sum()));
        prop_assert!(close(win_rate(&results).unwrap() * results.len() as f64, wins().count() as f64));
        prop_assert_eq!(profit_factor(&results).is_some(), losses().count() > 0);
        if let Some(payoff) = payoff_ratio(&results) {
            let factor = profit_factor(&results).unwrap();
            let odds = wins().count() as f64 / losses().count() as f64;
            prop_assert!(close(factor, payoff * odds), "{} {}", factor, payoff * odds);
        } else {
            prop_assert!(wins().count() == 0 || losses().count() == 0);
        }
    }

    #[test]
    fn prop_losses_for_gains_turn_the_sign_of_sharpe_and_skew(equity in equity()) {
        let returns = returns(&equity).unwrap();
        let mirrored: Vec<f64> = returns.iter().map(|r| -r).collect();
        for metric in [sharpe_per_bar, skew] {
            match (metric(&returns), metric(&mirrored)) {
                (Some(one), Some(other)) => prop_assert!(close(one, -other), "{} {}", one, other),
                (one, other) => prop_assert_eq!(one, other),
            }
        }
        if let (Some(skew), Some(kurtosis)) = (skew(&returns), kurtosis(&returns)) {
            prop_assert!(kurtosis >= 1.0 + skew * skew - 1e-9, "{} {}", skew, kurtosis);
        }
    }

    #[test]
    fn prop_harder_benchmarks_and_more_trials_make_skill_less_probable(
        equity in equity(), benchmark in 0.0..0.5_f64, count in 2.0..1e4_f64, variance in 1e-4..0.1_f64,
    ) {
        let Some(estimate) = SharpeEstimate::of(&returns(&equity).unwrap()) else { return Ok(()) };
        let Some(against_zero) = probabilistic_sharpe_ratio(&estimate, 0.0) else { return Ok(()) };
        prop_assert!((0.0..=1.0).contains(&against_zero));
        prop_assert!(probabilistic_sharpe_ratio(&estimate, benchmark).unwrap() <= against_zero);
        let trials = |count| Trials { count, variance: Some(variance) };
        let deflated = deflated_sharpe_ratio(&estimate, trials(count)).unwrap();
        prop_assert!(deflated <= against_zero);
        prop_assert!(deflated_sharpe_ratio(&estimate, trials(2.0 * count)).unwrap() <= deflated);
    }

    #[test]
    fn prop_value_that_is_no_number_leaves_every_figure_of_the_curve_undefined(
        equity in equity(), idx in any::<usize>(),
        broken in prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]),
    ) {
        let mut equity = equity;
        let idx = idx % equity.len();
        equity[idx] = broken;
        let found = performance(&equity, &[], Activity::default(), Some(252.0));
        let names: Vec<&str> = found.defined().into_iter().map(|(name, _)| name).collect();
        prop_assert_eq!(names, ["n_returns", "total_trades", "exposure_time", "turnover"]);
    }

    #[test]
    fn prop_rolling_window_holds_the_last_values(
        values in prop::collection::vec(-1e3..1e3_f64, 0..60), capacity in 1..12_usize,
    ) {
        let mut window = RollingWindow::new(capacity);
        for (idx, value) in values.iter().enumerate() {
            window.push(*value);
            for n in 0..=capacity + 1 {
                let expected = (n <= capacity && n <= idx + 1).then(|| &values[idx + 1 - n..=idx]);
                prop_assert_eq!(window.last(n), expected);
            }
            prop_assert_eq!(window.full(), window.last(capacity));
        }
    }

    #[test]
    fn prop_indicators_stay_in_their_ranges(bars in data::walk(80)) {
        let (mut rsi, mut atr) = (Rsi::new(14), Atr::new(14));
        let widest = bars.windows(2).map(|pair| {
            pair[1].high.max(pair[0].close) - pair[1].low.min(pair[0].close)
        }).fold(0.0, f64::max);
        for bar in &bars {
            if let Some(value) = rsi.push(bar.close) {
                prop_assert!((0.0..=100.0).contains(&value), "{}", value);
            }
            if let Some(value) = atr.push(bar) {
                prop_assert!((0.0..=widest * (1.0 + 1e-12)).contains(&value), "{}", value);
            }
        }
        let closes: Vec<f64> = bars.iter().map(|bar| bar.close).collect();
        let spread = closes.iter().fold(0.0, |it: f64, close| it.max((close - closes[0]).abs()));
        prop_assert!(standard_deviation(&closes) <= 2.0 * spread);
    }
}

#[test]
fn interval_of_a_sharpe_ratio_is_reproducible_and_narrows_with_more_bars() {
    let returns = |n: i32| -> Vec<f64> {
        (0..n).map(|idx| 0.001 + 0.01 * f64::from((idx * 7_919) % 101 - 50) / 50.0).collect()
    };
    let width = |n| {
        let returns = returns(n);
        let interval = sharpe_interval(&returns, 252.0).unwrap();
        assert_eq!(sharpe_interval(&returns, 252.0), Some(interval));
        assert!(interval.low < interval.high);
        interval.high - interval.low
    };
    assert!(width(4_000) < width(400));
}
