//! The same seed gives the same model, and a stored training continues as if it had never been
//! interrupted.

use std::num::NonZeroUsize;

use herdbook_ppo::{Activation, Bounds, Model, NetArch, PpoConfig, Trainer};
use serde_json::{Value, json};

use crate::cart_pole::CartPole;
use crate::learning::envs;

fn config() -> PpoConfig {
    PpoConfig { n_envs: 2, n_steps: 100, n_epochs: 2, ..PpoConfig::default() }
}

fn trained(seed: u64, iterations: u32) -> Trainer<CartPole> {
    let mut trainer = Trainer::new(config(), envs(2), seed).unwrap();
    (0..iterations).for_each(|_| drop(trainer.iterate()));
    trainer
}

fn zip(trainer: &Trainer<CartPole>) -> Vec<u8> {
    trainer.model().to_zip().unwrap()
}

#[test]
fn same_seed_gives_the_same_bytes_and_another_seed_does_not() {
    let bytes = zip(&trained(1, 3));
    assert!(bytes == zip(&trained(1, 3)));
    assert!(bytes != zip(&trained(2, 3)));
    assert!(bytes != zip(&trained(1, 4)));
}

#[test]
fn same_seed_gives_the_same_statistics() {
    assert_eq!(trained(1, 2).iterate(), trained(1, 2).iterate());
}

#[test]
fn stored_model_is_read_back_bit_for_bit() {
    let mut model = trained(1, 2).model();
    model.extra.insert("schema".to_owned(), json!(1));
    model.extra.insert("windows".to_owned(), json!({"train": [0, 10]}));
    model.bounds = Some(Bounds { low: vec![-1.5; 4], high: vec![f32::INFINITY, 0.1, 2.0, 3.0] });
    let bytes = model.to_zip().unwrap();
    let read = Model::from_zip(&bytes, "model.zip").unwrap();
    assert_eq!(read.policy.tensors(), model.policy.tensors());
    assert_eq!(read.adam, model.adam);
    assert_eq!(read.config, model.config);
    assert_eq!((read.num_timesteps, read.n_updates), (400, 4));
    assert_eq!((&read.extra, &read.bounds), (&model.extra, &model.bounds));
    assert!(read.to_zip().unwrap() == bytes);
}

#[test]
fn networks_of_every_shape_are_read_back() {
    for (pi, vf) in
        [(vec![], vec![]), (vec![3], vec![]), (vec![], vec![70]), (vec![8, 9, 10], vec![1])]
    {
        for activation in [Activation::Tanh, Activation::Relu] {
            let net_arch = NetArch { pi: pi.clone(), vf: vf.clone() };
            let config = PpoConfig { n_steps: 64, net_arch, activation, ..PpoConfig::default() };
            let mut trainer = Trainer::new(config, envs::<CartPole>(1), 1).unwrap();
            for _ in 0..2 {
                let bytes = zip(&trainer);
                let read = Model::from_zip(&bytes, "model.zip").unwrap();
                assert!(read.to_zip().unwrap() == bytes);
                trainer.iterate();
            }
        }
    }
}

#[test]
fn training_continues_from_a_file_as_from_memory() {
    let parent = trained(1, 2);
    let stored = Model::from_zip(&zip(&parent), "model.zip").unwrap();
    let mut from_memory =
        Trainer::resume(parent.model(), config(), envs::<CartPole>(2), 5).unwrap();
    let mut from_file = Trainer::resume(stored, config(), envs::<CartPole>(2), 5).unwrap();
    assert_eq!(from_file.iterate(), from_memory.iterate());
    assert!(zip(&from_file) == zip(&from_memory));
}

#[test]
fn resumed_model_keeps_its_weights_moments_and_counters() {
    let parent = trained(1, 2).model();
    let child = Trainer::resume(parent.clone(), config(), envs::<CartPole>(2), 5).unwrap();
    assert_eq!(child.policy().tensors(), parent.policy.tensors());
    assert_eq!(child.model().adam, parent.adam);
    assert_eq!((child.num_timesteps(), child.trained_timesteps()), (400, 0));
    let mut child = child;
    let stats = child.iterate();
    assert_eq!((stats.num_timesteps, stats.n_updates), (600, 6));
    assert_eq!(child.trained_timesteps(), 200);
    assert!(child.model().adam.step_count() > parent.adam.step_count());
}

#[test]
fn resumed_training_gives_the_bytes_of_an_uninterrupted_one() {
    let mut uninterrupted = trained(1, 2);
    let text = serde_json::to_string(&uninterrupted.snapshot()).unwrap();
    let model = Model::from_zip(&zip(&uninterrupted), "model.zip").unwrap();
    let snapshot = serde_json::from_str(&text).unwrap();
    let mut resumed = Trainer::restore(model, snapshot, envs::<CartPole>(2)).unwrap();
    for _ in 0..3 {
        assert_eq!(resumed.iterate(), uninterrupted.iterate());
    }
    assert!(zip(&resumed) == zip(&uninterrupted));
    assert_eq!(resumed.trained_timesteps(), uninterrupted.trained_timesteps());
}

#[test]
fn snapshot_of_other_environments_is_refused() {
    let trainer = trained(1, 1);
    let mut snapshot = trainer.snapshot();
    snapshot.config.n_envs = 3;
    let refused = Trainer::restore(trainer.model(), snapshot, envs::<CartPole>(3)).err().unwrap();
    let text = "the training cannot be resumed: the checkpoint has 2 environments, expected 3";
    assert_eq!(refused.to_string(), text);
}

#[test]
fn snapshot_of_another_model_is_refused() {
    let (trainer, earlier) = (trained(1, 2), trained(1, 1).model());
    let refused = Trainer::restore(earlier, trainer.snapshot(), envs::<CartPole>(2)).err().unwrap();
    let text =
        "the training cannot be resumed: the checkpoint has 400 timesteps, but its model only 200";
    assert_eq!(refused.to_string(), text);
}

#[test]
fn snapshot_has_the_keys_of_stored_checkpoints() {
    let snapshot = serde_json::to_value(trained(1, 1).snapshot()).unwrap();
    let keys =
        |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(keys(&snapshot), "actors config rng trained_timesteps");
    assert_eq!(keys(&snapshot["actors"]), "envs episodes obs rngs started");
    assert_eq!(keys(&snapshot["actors"]["episodes"][0]), "length reward");
}

#[test]
fn number_of_threads_does_not_change_the_model() {
    let configs = [
        config(),
        // A shorter last minibatch, several shards, epochs stopped by KL, clipped gradients.
        PpoConfig {
            n_envs: 5,
            n_steps: 70,
            batch_size: 150,
            target_kl: Some(1e-4),
            max_grad_norm: 0.01,
            net_arch: NetArch { pi: vec![24], vf: vec![100, 8] },
            ..config()
        },
    ];
    for config in configs {
        let trained = |n_threads| {
            let envs = envs::<CartPole>(config.n_envs);
            let mut trainer = Trainer::new(config.clone(), envs, 1).unwrap();
            trainer.set_threads(NonZeroUsize::new(n_threads).unwrap());
            let stats: Vec<_> = (0..4).map(|_| trainer.iterate()).collect();
            (stats, zip(&trainer))
        };
        let (stats, bytes) = trained(1);
        for n_threads in [2, 3, 8] {
            let (threaded_stats, threaded_bytes) = trained(n_threads);
            assert_eq!(threaded_stats, stats);
            assert!(threaded_bytes == bytes, "{n_threads} threads");
        }
    }
}
