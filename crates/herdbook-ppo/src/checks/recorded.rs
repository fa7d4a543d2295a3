//! Small trainings, compared with a recorded checksum of their weights, and checked for zero padding.

use pulp::Arch;

use crate::config::{Activation, NetArch, PpoConfig};
use crate::env::{Env, EpisodeEnd, Step};
use crate::math::instruction_sets;
use crate::model::Model;
use crate::network::mlp::Mlp;
use crate::rng::Rng;
use crate::trainer::Trainer;

/// Rewards the action that has the sign of the first of two random numbers. Episodes end in both ways.
struct Sign {
    rng: Rng,
    length: u32,
}

impl Sign {
    fn observe(&mut self, obs: &mut [f32]) {
        obs.fill_with(|| 2.0 * self.rng.uniform_f32() - 1.0);
    }
}

impl Env for Sign {
    fn obs_len(&self) -> usize {
        2
    }

    fn n_actions(&self) -> usize {
        3
    }

    fn reset(&mut self, rng: &mut Rng, obs: &mut [f32]) {
        *self = Self { rng: rng.split(), length: 0 };
        self.observe(obs);
    }

    fn step(&mut self, action: usize, obs: &mut [f32]) -> Step {
        let reward = (action as f32 - 1.0) * obs[0];
        self.length += 1;
        self.observe(obs);
        let end = match (obs[1] > 0.9, self.length) {
            (true, _) => EpisodeEnd::Terminated,
            (false, 20..) => EpisodeEnd::Truncated,
            (false, _) => EpisodeEnd::Running,
        };
        Step { reward, end }
    }
}

fn envs(n: usize) -> Vec<Sign> {
    (0..n).map(|_| Sign { rng: Rng::new(0), length: 0 }).collect()
}

/// A model after three iterations with the given instruction set.
fn trained(arch: Arch, config: &PpoConfig) -> Model {
    let mut model = Trainer::new(config.clone(), envs(config.n_envs), 1).unwrap().model();
    model.policy.arch = arch;
    let mut trainer = Trainer::resume(model, config.clone(), envs(config.n_envs), 2).unwrap();
    for _ in 0..3 {
        trainer.iterate();
    }
    trainer.model()
}

fn config() -> PpoConfig {
    PpoConfig {
        n_envs: 3,
        n_steps: 50,
        batch_size: 100,
        n_epochs: 3,
        clip_range_vf: Some(0.3),
        ent_coef: 0.01,
        net_arch: NetArch { pi: vec![9, 17], vf: vec![20] },
        ..PpoConfig::default()
    }
}

/// The hash function FNV-1a over the bits of all weights and moments.
fn checksum(model: &Model) -> u64 {
    let tensors = [model.policy.tensors(), model.exp_avg(), model.exp_avg_sq()].concat();
    let values = tensors.iter().flat_map(|tensor| &tensor.values);
    let bytes = values.flat_map(|value| value.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A training resumed after an update of herdbook must continue as if there had been none. If this
/// fails, the change gives other models from the same seed: it needs a decision, not only a new number.
#[test]
fn same_seed_gives_the_recorded_weights_with_scalar_code() {
    let tanh = config();
    let relu = PpoConfig { activation: Activation::Relu, normalize_advantage: false, ..config() };
    assert_eq!(checksum(&trained(Arch::Scalar, &tanh)), 17_220_087_466_355_017_750);
    assert_eq!(checksum(&trained(Arch::Scalar, &relu)), 16_131_690_246_244_611_992);
}

/// Kernels read and write whole padded rows, so a value in the padding would enter products and norms.
#[test]
fn padding_of_weights_and_moments_is_zero_after_training() {
    for arch in instruction_sets() {
        let Model { policy, adam, .. } = trained(arch, &config());
        let (networks, weights, moments) = (&policy.networks, &policy.weights, &adam.moments);
        for buffer in [&weights.actor.flat, &moments.actor.exp_avg, &moments.actor.exp_avg_sq] {
            assert_zero_padding(&networks.actor, buffer);
        }
        for buffer in [&weights.critic.flat, &moments.critic.exp_avg, &moments.critic.exp_avg_sq] {
            assert_zero_padding(&networks.critic, buffer);
        }
    }
}

fn assert_zero_padding(mlp: &Mlp, flat: &[f32]) {
    for layer in &mlp.layers {
        let rows = flat[layer.weights().start..layer.bias().end].chunks_exact(layer.width());
        for row in rows {
            let (values, padding) = row.split_at(layer.outputs);
            assert!(values.iter().any(|x| *x != 0.0), "an untrained row");
            assert!(padding.iter().all(|x| x.to_bits() == 0), "{padding:?}");
        }
    }
}
