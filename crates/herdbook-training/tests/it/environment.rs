//! The trading environment: nothing that a model sees or earns depends on the future.

use std::sync::Arc;

use herdbook_domain::Timeframe;
use herdbook_market::CostModel;
use herdbook_ppo::{Env, EpisodeEnd, Rng};
use herdbook_training::{Boundaries, MarketData, OBS_LEN, TradingEnv};
use proptest::prelude::*;

use crate::barn::{market, walk};

const EPISODE_BARS: usize = 64;

/// Observations and rewards of one episode under drawn actions.
fn episode(csv: Vec<u8>, seed: u64) -> Vec<(Vec<f32>, f32)> {
    let data = MarketData::prepare(&market(csv), Timeframe::Hour1, Boundaries::default()).unwrap();
    let costs = CostModel::from_bps(2.0).unwrap();
    let mut env = TradingEnv::new(Arc::new(data), costs, EPISODE_BARS);
    let mut rng = Rng::new(seed);
    let mut obs = vec![0.0; OBS_LEN];
    env.reset(&mut rng, &mut obs);
    let mut steps = vec![(obs.clone(), 0.0)];
    loop {
        let step = env.step(rng.below(3), &mut obs);
        steps.push((obs.clone(), step.reward));
        if step.end != EpisodeEnd::Running {
            assert_eq!(step.end, EpisodeEnd::Truncated);
            return steps;
        }
    }
}

#[test]
fn episode_has_the_length_asked_for() {
    assert_eq!(episode(walk(1_500, 1, 0.003), 1).len(), EPISODE_BARS + 1);
}

#[test]
fn observations_are_finite_and_bounded() {
    for (obs, reward) in episode(walk(1_500, 2, 0.05), 3) {
        assert!(obs.iter().all(|value| value.is_finite() && value.abs() <= 5.0), "{obs:?}");
        assert!(reward.is_finite());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// All bars after the first `known` are replaced; as long as the episode lives before them, nothing changes.
    #[test]
    fn prop_changed_future_changes_nothing_before_it(seed in 0..1_000_u64, known in 1_100..1_400_usize) {
        let csv = walk(1_500, 1, 0.003);
        let lines: Vec<&[u8]> = csv.split_inclusive(|byte| *byte == b'\n').collect();
        let other = walk(1_500, 2, 0.02);
        let other: Vec<&[u8]> = other.split_inclusive(|byte| *byte == b'\n').collect();
        let changed: Vec<u8> = lines[..known].iter().chain(&other[known..]).flat_map(|line| line.to_vec()).collect();
        prop_assert_eq!(episode(csv, seed), episode(changed, seed));
    }
}
