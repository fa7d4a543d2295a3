//! A planted signal is found, and a market without a signal gives no evidence.

use herdbook_domain::EVIDENCE_PROBABILITY;
use herdbook_training::{PpoConfig, TrainRequest};

use crate::fixture::{Fixture, market, request};
use crate::markets::{planted, shuffled};

const SEEDS: u64 = 20;

fn n_with_evidence(timesteps: u64, bars: impl Fn(u64) -> Vec<u8>) -> usize {
    let found = (0..SEEDS).filter(|seed| {
        let fixture = Fixture::new();
        let request = TrainRequest {
            data: market(bars(*seed)),
            timesteps,
            seed: *seed,
            cost_bps: 0.0,
            config: PpoConfig::default(),
            ..request()
        };
        // Without costs `is_evidence` is always false, so only the probability is checked.
        let probability = fixture.train(request).unwrap().run.evidence.figures.probability;
        probability.is_some_and(|probability| probability > EVIDENCE_PROBABILITY)
    });
    found.count()
}

/// The expected number of false positives in 20 seeds is 1; 5 or more happen in fewer than 1 of 300 such tests.
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
