//! Files that are broken, or made to do harm, are refused with an error: nothing panics, hangs or
//! fills the memory.

use herdbook_ppo::{Model, PpoConfig, Trainer};
use proptest::prelude::*;

use crate::cart_pole::CartPole;
use crate::learning::envs;
use crate::samples::RELU;

fn own_zip() -> Vec<u8> {
    let config = PpoConfig {
        n_steps: 64,
        ..PpoConfig::default()
    };
    let mut trainer = Trainer::new(config, envs::<CartPole>(1), 1).unwrap();
    trainer.iterate();
    trainer.model().to_zip().unwrap()
}

fn message(bytes: &[u8]) -> String {
    Model::from_zip(bytes, "x.zip").err().unwrap().to_string()
}

/// The zip with one text replaced by another of the same length, checksums not mended.
fn replaced(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes
        .windows(from.len())
        .position(|window| window == from)
        .unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

#[test]
fn what_is_no_zip_is_refused() {
    for bytes in [&b""[..], b"PK", b"not a zip at all", &[0; 1_000]] {
        assert!(message(bytes).starts_with("`x.zip` is not a readable model file: "));
    }
}

#[test]
fn changed_content_is_noticed_by_its_checksum() {
    let bytes = replaced(own_zip(), b"num_timesteps", b"num_timestepz");
    assert!(message(&bytes).contains("checksum"), "{}", message(&bytes));
}

#[test]
fn every_truncation_of_a_sample_is_refused() {
    for len in (0..RELU.len()).step_by(997) {
        message(&RELU[..len]);
    }
}

#[test]
fn model_with_a_weight_that_is_not_finite_cannot_be_written() {
    let model = Trainer::new(PpoConfig::default(), envs::<CartPole>(1), 1)
        .unwrap()
        .model();
    let mut tensors = model.policy.tensors();
    tensors[0].values[3] = f32::NAN;
    let policy = &model.policy;
    let (net_arch, activation) = (policy.net_arch().clone(), policy.activation());
    let error = herdbook_ppo::Policy::from_tensors(4, 2, net_arch, activation, &tensors)
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "`mlp_extractor.policy_net.0.weight` holds a value that is not finite: lower \
         `learning_rate`, or look for infinite rewards and observations"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn prop_flipped_bytes_never_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..20),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = RELU.to_vec();
        for (index, mask) in flips {
            bytes[index.index(RELU.len())] ^= mask;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(RELU.len()));
        }
        // Some flips change only dates or hints, so either answer may be right.
        let _ = Model::from_zip(&bytes, "x.zip");
    }
}
