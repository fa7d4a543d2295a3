//! The test of a model against doing nothing and holding: size, agreement with its interval, robustness.

use std::ops::Range;

use herdbook_market::metrics::{LeaveOut, SharpeComparison, most_decisive};

/// Standard normal values: `SplitMix64` and Box–Muller.
struct Normal(u64);

impl Normal {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        ((mixed >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn next(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// Daily returns of a model and of holding with a correlation, and their Sharpe ratios per year.
fn pair(seed: u64, n: usize, correlation: f64, sharpes: [f64; 2]) -> (Vec<f64>, Vec<f64>) {
    let mut normal = Normal(seed);
    let [model, holding] = sharpes.map(|sharpe| sharpe / 252.0_f64.sqrt());
    let other = (1.0 - correlation * correlation).sqrt();
    (0..n)
        .map(|_| {
            let (held, own) = (normal.next(), normal.next());
            let moved = correlation * held + other * own;
            (0.01 * (model + moved), 0.01 * (holding + held))
        })
        .unzip()
}

fn each_bar(n: usize) -> Vec<Range<usize>> {
    (0..n).map(|idx| idx..idx + 1).collect()
}

#[test]
fn equal_sharpe_ratios_are_told_apart_in_one_of_twenty_samples_at_every_correlation() {
    const SAMPLES: u64 = 200;
    for correlation in [-0.8, 0.9] {
        let beyond_holding = (0..SAMPLES).filter(|seed| {
            let (model, holding) = pair(*seed << 20, 300, correlation, [1.0, 1.0]);
            SharpeComparison::of(&model, &holding).unwrap().holding.unwrap().low > 0.0
        });
        // 5 % of 200 are 10; fewer than 2 or more than 21 happen in 1 of 500 such tests.
        let found = beyond_holding.count();
        assert!((2..=21).contains(&found), "correlation {correlation}: {found} of {SAMPLES}");
    }
}

#[test]
fn probability_is_above_the_limit_exactly_where_both_intervals_are_above_0() {
    let mut n_above = 0;
    for seed in 0..120 {
        let (model, holding) = pair(seed << 20, 300, 0.5, [2.5, 0.3]);
        let found = SharpeComparison::of(&model, &holding).unwrap();
        let held = found.holding.as_ref().unwrap();
        let is_above = found.flat.low > 0.0 && held.low > 0.0;
        assert_eq!(found.probability() > 0.95, is_above, "seed {seed}: {found:?}");
        assert!(held.low < held.difference && held.difference < held.high);
        n_above += usize::from(is_above);
    }
    assert!((20..100).contains(&n_above), "the samples lie on both sides of the limit: {n_above}");
}

#[test]
fn model_must_beat_holding_and_doing_nothing() {
    let (good, falling) = pair(5, 1_000, 0.0, [3.0, -3.0]);
    let probability = |model: &[f64], holding: &[f64]| {
        SharpeComparison::of(model, holding).unwrap().probability()
    };
    assert!(probability(&good, &falling) > 0.99);
    // Falls, but slower than prices: better than holding only.
    let (slow, falling) = pair(6, 1_000, 0.0, [-0.5, -3.0]);
    assert!(probability(&slow, &falling) < 0.5);
    // Rises, but slower than prices: better than doing nothing only.
    let (slow, rising) = pair(7, 1_000, 0.0, [2.0, 4.0]);
    assert!(probability(&slow, &rising) < 0.5);
}

#[test]
fn more_tries_never_raise_the_probability() {
    let (model, holding) = pair(11, 600, 0.2, [3.0, 0.0]);
    let found = SharpeComparison::of(&model, &holding).unwrap();
    let among = |n| found.probability_among(n).unwrap();
    assert_eq!(among(1.0).to_bits(), found.probability().to_bits());
    let falling = [1.0, 2.0, 5.0, 50.0, 1e6].map(among);
    assert!(falling.windows(2).all(|pair| pair[0] >= pair[1]), "{falling:?}");
    assert!(falling[0] > 0.95 && falling[4] < 0.05, "{falling:?}");
    assert_eq!(found.probability_among(0.5), None);
}

#[test]
fn model_that_does_as_holding_does_is_neither_better_nor_worse() {
    let (model, _) = pair(3, 400, 0.0, [2.0, 0.0]);
    let found = SharpeComparison::of(&model, &model).unwrap();
    let held = found.holding.as_ref().unwrap();
    assert_eq!([held.difference, held.low, held.high], [0.0; 3]);
    assert!((found.probability() - 0.5).abs() < f64::EPSILON);
    assert!(found.probability_among(2.0).unwrap() < f64::EPSILON);
}

#[test]
fn model_that_leaves_holding_for_a_few_bars_has_a_finite_interval_or_none() {
    let (_, holding) = pair(5, 2_000, 0.0, [0.0, 1.0]);
    for n_out in [1, 2, 5, 20, 60] {
        let mut model = holding.clone();
        for idx in 0..n_out {
            model[idx * (2_000 / n_out)] = 0.0;
        }
        let Some(found) = SharpeComparison::of(&model, &holding) else { continue };
        let held = found.holding.unwrap();
        assert!(held.low.abs() < 1.0 && held.high.abs() < 1.0, "{n_out}: {held:?}");
    }
    let mut model = holding.clone();
    model[1_000] = 0.0;
    assert_eq!(SharpeComparison::of(&model, &holding), None);
}

#[test]
fn comparison_is_undefined_where_a_ratio_is_or_too_little_is_known() {
    let (model, holding) = pair(1, 60, 0.0, [1.0, 0.0]);
    assert_eq!(SharpeComparison::of(&[0.0; 60], &holding), None);
    assert_eq!(SharpeComparison::of(&model[..19], &holding[..19]), None);
    let mut broken = model.clone();
    broken[30] = f64::NAN;
    assert_eq!(SharpeComparison::of(&broken, &holding), None);
    // A model that is in the market for one bar: resamples without that bar do not vary.
    let mut once = vec![0.0; 60];
    once[7] = 0.02;
    assert_eq!(SharpeComparison::of(&once, &holding), None);
    // Prices that do not move: holding is doing nothing.
    assert_eq!(SharpeComparison::of(&model, &[0.0; 60]).unwrap().holding, None);
}

#[test]
fn same_returns_give_the_same_comparison() {
    let (model, holding) = pair(2, 500, 0.4, [1.0, 0.5]);
    assert_eq!(SharpeComparison::of(&model, &holding), SharpeComparison::of(&model, &holding));
}

#[test]
fn result_that_one_bar_carries_does_not_stand_without_it() {
    let (mut model, mut holding) = pair(21, 500, 0.2, [0.8, 0.0]);
    // A split that was not adjusted for: the model was short.
    (model[300], holding[300]) = (0.9, -0.9);
    let left_out = LeaveOut::of(&model, &holding, &each_bar(500)).unwrap();
    assert_eq!(left_out.group, 300);
    let whole = SharpeComparison::of(&model, &holding).unwrap().probability();
    assert!(left_out.probability.unwrap() < whole, "{left_out:?} of {whole}");
}

#[test]
fn one_bar_of_many_changes_little() {
    let (model, holding) = pair(31, 500, 0.2, [3.0, 0.0]);
    let whole = SharpeComparison::of(&model, &holding).unwrap().probability();
    let left_out = LeaveOut::of(&model, &holding, &each_bar(500)).unwrap();
    assert!(whole > 0.99 && left_out.probability.unwrap() > 0.97, "{left_out:?} of {whole}");
}

#[test]
fn without_its_only_trade_a_model_has_no_result() {
    let (model, holding) = pair(41, 300, 0.0, [3.0, 0.0]);
    let found = LeaveOut::of(&model, &holding, &[Range { start: 0, end: 299 }]).unwrap();
    assert_eq!(found.probability, None);
    assert_eq!(LeaveOut::of(&model, &holding, &[]), None);
    // Of two trades, the result rests on the one with the gain.
    let mut model = vec![0.0; 300];
    let wave = |idx: usize| if idx.is_multiple_of(2) { 0.002 } else { -0.002 };
    for (idx, bar) in model.iter_mut().enumerate() {
        *bar = wave(idx / 3) + if idx < 150 { 0.003 } else { -0.001 };
    }
    assert_eq!(most_decisive(&model, &holding, &[150..300, 0..150]), Some(1));
}
