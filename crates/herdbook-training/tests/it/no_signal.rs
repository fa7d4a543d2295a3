//! What is in a market is found, and nothing is found where there is nothing.

use herdbook_domain::EVIDENCE_PROBABILITY;
use herdbook_training::{PpoConfig, TrainRequest};

use crate::barn::{Barn, market, request};
use crate::markets::{planted, shuffled};

const SEEDS: u64 = 20;

fn n_with_evidence(timesteps: u64, bars: impl Fn(u64) -> Vec<u8>) -> usize {
    let found = (0..SEEDS).filter(|seed| {
        let barn = Barn::new();
        let request = TrainRequest {
            data: market(bars(*seed)),
            timesteps,
            seed: *seed,
            cost_bps: 0.0,
            config: PpoConfig::default(),
            ..request()
        };
        // Zero costs, as the market is without a signal to pay them from: the figure alone is asked.
        let probability = barn.train(request).unwrap().run.evidence.probability;
        probability.is_some_and(|probability| probability > EVIDENCE_PROBABILITY)
    });
    found.count()
}

/// Real returns without their mean, in shuffled blocks, cost-free: of 20 seeds one passes by chance, and five or
/// more in less than one of 300 such tests.
#[test]
fn market_without_a_signal_comes_out_as_no_evidence() {
    let found = n_with_evidence(20_480, shuffled);
    assert!(found <= 4, "{found} of {SEEDS}");
}

#[test]
fn planted_signal_is_found_with_every_seed() {
    let found = n_with_evidence(20_480, planted);
    assert_eq!(found, SEEDS as usize);
}
