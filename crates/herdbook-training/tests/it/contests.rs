//! Each enhancement beats `continued` at its purpose. `cargo xtask bench enhancements` does the same with more seeds.

use std::sync::atomic::AtomicBool;

use herdbook_domain::{Enhancement, ParentSelector};
use herdbook_training::{
    Boundaries, ContaminatedTest, PpoConfig, TrainReport, TrainRequest, train,
};

use crate::costly::{HIDDEN_COSTS, hidden};
use crate::fixture::{Fixture, Listener, child, market, request};
use crate::regimes::{Borders, common, open_time_ms, rare, switched};

const SEEDS: u64 = 6;
const TIMESTEPS: u64 = 40_000;

fn on(seed: u64, (bars, (validation, test)): (Vec<u8>, Borders)) -> TrainRequest {
    TrainRequest {
        data: market(bars),
        boundaries: Boundaries {
            validation_from_ms: Some(open_time_ms(validation)),
            test_from_ms: Some(open_time_ms(test)),
            test_until_ms: None,
        },
        timesteps: TIMESTEPS,
        seed,
        config: PpoConfig::default(),
        contaminated: ContaminatedTest::Marked,
        ..request()
    }
}

/// Mean over the training of the reward on the validation window, and the report.
fn trained(fixture: &Fixture, request: TrainRequest) -> (f64, TrainReport) {
    let mut listener = Listener::default();
    let prepared = request.prepare().unwrap();
    let report = train(&fixture.store, &prepared, &mut listener, &AtomicBool::new(false)).unwrap();
    let curve: Vec<f64> = listener.progress.iter().filter_map(|it| it.validation_reward).collect();
    (curve.iter().sum::<f64>() / curve.len() as f64, report)
}

/// Number of seeds with which the enhancement has a higher score than `continued` from the same parent.
fn n_better(
    enhancement: Enhancement,
    bars: fn(u64) -> (Vec<u8>, Borders),
    score: fn(&(f64, TrainReport)) -> f64,
) -> usize {
    let is_better = |seed: &u64| {
        let fixture = Fixture::new();
        let parent = trained(&fixture, on(*seed, common(*seed))).1;
        let score_of = |enhancement| {
            let mut request = on(*seed, bars(*seed));
            let parent = ParentSelector::Run(parent.run.run_id.clone());
            request.enhance = child(parent, enhancement).enhance;
            score(&trained(&fixture, request))
        };
        score_of(enhancement) > score_of(Enhancement::Continued)
    };
    (0..SEEDS).filter(is_better).count()
}

#[test]
fn replay_wins_back_more_of_the_rare_regime_than_going_on() {
    let test_reward = |(_, report): &(f64, TrainReport)| report.run.metrics["final/mean_reward"];
    assert!(n_better(Enhancement::Replay, rare, test_reward) >= 4);
}

#[test]
fn adaptive_learns_a_new_regime_sooner_than_going_on() {
    assert!(n_better(Enhancement::Adaptive, switched, |(area, _)| *area) >= 4);
}

#[test]
fn curriculum_reaches_costs_at_which_direct_training_fails() {
    let at_high_costs = |seed, timesteps| TrainRequest {
        cost_bps: HIDDEN_COSTS,
        timesteps,
        ..on(seed, hidden(seed))
    };
    let gain = |seed: u64| {
        let fixture = Fixture::new();
        // One rollout, so that the parent is unskilled.
        let parent = trained(&fixture, at_high_costs(seed, 2_048)).1;
        let score_of = |enhancement| {
            let mut request = at_high_costs(seed, 100_000);
            request.enhance =
                child(ParentSelector::Run(parent.run.run_id.clone()), enhancement).enhance;
            trained(&fixture, request).1.run.metrics["final/mean_reward"]
        };
        score_of(Enhancement::Curriculum) - score_of(Enhancement::Continued)
    };
    // Rounding differs between vector widths, and so does the result of a seed. With three seeds the test failed on one
    // kind of processor.
    assert!((0..8).map(gain).sum::<f64>() > 0.0);
}
