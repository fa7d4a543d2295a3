//! The trading environment: observations and rewards do not depend on future bars.

use std::sync::Arc;

use herdbook_domain::Timeframe;
use herdbook_market::CostModel;
use herdbook_ppo::{Env, EpisodeEnd, Rng};
use herdbook_training::{Boundaries, EnvFactory, EnvWindow, MarketData, OBS_LEN, TradingEnv};
use proptest::prelude::*;

use crate::fixture::{Fixture, market, request, walk};

const EPISODE_BARS: usize = 64;

/// One timestep: index of the last closed bar, observation, reward.
type LineageWindows = (usize, Vec<f32>, f32);

/// One episode with random actions.
fn episode(csv: &[u8], seed: u64) -> Vec<LineageWindows> {
    let data = market(csv.to_vec());
    let data = MarketData::prepare(&data, Timeframe::Hour1, Boundaries::default()).unwrap();
    let costs = CostModel::from_bps(2.0).unwrap();
    let mut env = TradingEnv::new(Arc::new(data), costs, EPISODE_BARS);
    let mut rng = Rng::new(seed);
    let mut obs = vec![0.0; OBS_LEN];
    env.reset(&mut rng, &mut obs);
    let mut steps = vec![(env.bar_idx(), obs.clone(), 0.0)];
    loop {
        let step = env.step(rng.below(3), &mut obs);
        steps.push((env.bar_idx(), obs.clone(), step.reward));
        if step.end != EpisodeEnd::Running {
            return steps;
        }
    }
}

/// The bars of `csv` up to and including `last`, then those of `other`.
fn changed_after(csv: &[u8], other: &[u8], last: usize) -> Vec<u8> {
    let lines = |csv: &[u8]| -> Vec<Vec<u8>> {
        csv.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    };
    // The first line is the header.
    let known = last + 2;
    [&lines(csv)[..known], &lines(other)[known..]].concat().concat()
}

#[test]
fn episode_has_the_length_asked_for() {
    assert_eq!(episode(&walk(1_500, 1, 0.003), 1).len(), EPISODE_BARS + 1);
}

#[test]
fn observations_are_finite_and_bounded() {
    for (_, obs, reward) in episode(&walk(1_500, 2, 0.05), 3) {
        assert!(obs.iter().all(|value| value.is_finite() && value.abs() <= 5.0), "{obs:?}");
        assert!(reward.is_finite());
    }
}

fn factory() -> EnvFactory {
    let data = market(walk(1_500, 1, 0.003));
    EnvFactory::prepare(&data, Timeframe::Hour1, Boundaries::default(), 1.0, None).unwrap()
}

#[test]
fn factory_measures_a_policy_as_its_training_did() {
    let fixture = Fixture::new();
    let report = fixture.train(request()).unwrap();
    let policy = EnvFactory::policy(&fixture.model_file(&report)).unwrap();
    let mut expected = report.run.metrics.clone();
    expected.retain(|name, _| {
        !["evaluation/best_mean_reward", "evaluation/last_mean_reward"].contains(&name.as_str())
    });
    assert_eq!(factory().measure(&policy), expected);
    let (mean, std) = factory().validate(&policy);
    assert!((mean - expected["evaluation/mean_reward"]).abs() < 1e-12);
    assert!((std - expected["evaluation/std_reward"]).abs() < 1e-12);
    // The params of both are the same, so that their metrics are compared.
    let run = fixture.store.run(&report.run.run_id).unwrap();
    for (key, value) in factory().params() {
        assert_eq!(run.params.get(&key), Some(&value), "{key}");
    }
}

#[test]
fn each_window_but_the_training_window_is_one_whole_episode() {
    let factory = factory();
    let windows = factory.market().windows();
    let hour = 3_600_000;
    for (window, start, end) in [
        (EnvWindow::Validation, windows.validation.start, windows.validation.end),
        (EnvWindow::Test, windows.test.start, windows.test.end),
    ] {
        let mut env = factory.env(window);
        let (mut rng, mut obs) = (Rng::new(1), vec![0.0; OBS_LEN]);
        for _ in 0..2 {
            env.reset(&mut rng, &mut obs);
            assert_eq!(factory.open_time_ms(env.bar_idx()), start.millis());
            while env.step(1, &mut obs).end == EpisodeEnd::Running {}
            assert_eq!(factory.open_time_ms(env.bar_idx()) + hour, end.millis());
        }
    }
}

#[test]
fn environment_and_backtest_have_the_same_dynamics() {
    let fixture = Fixture::new();
    let report = fixture.train(request()).unwrap();
    let policy = EnvFactory::policy(&fixture.model_file(&report)).unwrap();
    let (mut scratch, mut obs) = (policy.scratch(), vec![0.0; OBS_LEN]);
    let mut env = factory().env(EnvWindow::Test);
    env.reset(&mut Rng::new(1), &mut obs);
    let mut sum = 0.0;
    loop {
        let action = policy.act_deterministic(&obs, &mut scratch);
        let step = env.step(action, &mut obs);
        sum += f64::from(step.reward);
        if step.end != EpisodeEnd::Running {
            break;
        }
    }
    let total_return = report.run.performance.total_return.unwrap();
    assert!((env.equity() / 10_000.0 - 1.0 - total_return).abs() < 1e-12);
    assert!((sum - 100.0 * (1.0 + total_return).ln()).abs() < 1e-4);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Replaces the bars after the middle of an episode: observations and rewards before stay equal, and the next
    /// observation changes.
    #[test]
    fn prop_future_changes_nothing_before_it(seed in 0..1_000_u64, step in 0..EPISODE_BARS) {
        let csv = walk(1_500, 1, 0.003);
        let before = episode(&csv, seed);
        let last_known = before[step].0;
        let after = episode(&changed_after(&csv, &walk(1_500, 2, 0.02), last_known), seed);
        prop_assert_eq!(&before[..=step], &after[..=step]);
        prop_assert_ne!(&before[step + 1].1, &after[step + 1].1);
    }
}
