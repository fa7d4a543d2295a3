//! Enhancements against plain `continued` at what they are for; with more seeds, `cargo xtask bench enhancements`.

use std::sync::atomic::AtomicBool;

use herdbook_domain::{Enhancement, ParentSelector};
use herdbook_training::{
    Boundaries, ContaminatedTest, PpoConfig, TrainReport, TrainRequest, train,
};

use crate::barn::{Barn, Listener, child, market, request};
use crate::costly::{HIDDEN_COSTS, hidden};
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

/// Mean reward on the validation window along the training, and the report.
fn trained(barn: &Barn, request: TrainRequest) -> (f64, TrainReport) {
    let mut listener = Listener::default();
    let prepared = request.prepare().unwrap();
    let report = train(&barn.store, &prepared, &mut listener, &AtomicBool::new(false)).unwrap();
    let curve: Vec<f64> = listener.progress.iter().filter_map(|it| it.validation_reward).collect();
    (curve.iter().sum::<f64>() / curve.len() as f64, report)
}

/// With how many seeds the enhancement has a higher score than `continued`, from the same parent.
fn n_better(
    enhancement: Enhancement,
    bars: fn(u64) -> (Vec<u8>, Borders),
    score: fn(&(f64, TrainReport)) -> f64,
) -> usize {
    let is_better = |seed: &u64| {
        let barn = Barn::new();
        let parent = trained(&barn, on(*seed, common(*seed))).1;
        let score_of = |enhancement| {
            let mut request = on(*seed, bars(*seed));
            let parent = ParentSelector::Run(parent.run.run_id.clone());
            request.enhance = child(parent, enhancement).enhance;
            score(&trained(&barn, request))
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
        let barn = Barn::new();
        // One rollout: it knows nothing yet.
        let parent = trained(&barn, at_high_costs(seed, 2_048)).1;
        let score_of = |enhancement| {
            let mut request = at_high_costs(seed, 100_000);
            request.enhance =
                child(ParentSelector::Run(parent.run.run_id.clone()), enhancement).enhance;
            trained(&barn, request).1.run.metrics["final/mean_reward"]
        };
        score_of(Enhancement::Curriculum) - score_of(Enhancement::Continued)
    };
    // Vector units of another width round otherwise, and then a seed is another training: on the first three alone,
    // one kind of processor says no.
    assert!((0..8).map(gain).sum::<f64>() > 0.0);
}
