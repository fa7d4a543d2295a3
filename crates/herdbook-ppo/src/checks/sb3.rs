//! One update compared with the same update by stable-baselines3 2.9.2: losses, gradients and weights.
//! The fixtures, and the script that made them, are in `src/fixtures/`.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pulp::Arch;
use serde_json::Value;

use crate::adam::{clip_scale, square_sum};
use crate::config::PpoConfig;
use crate::math::instruction_sets;
use crate::model::Model;
use crate::network::actor_critic::ActorCritic;
use crate::network::tensors::{NamedTensor, export};
use crate::rollout::buffer::RolloutBuffer;
use crate::rollout::timestep::{StepEnd, Timestep};
use crate::update::ppo::Updater;

/// Tolerance for losses and gradients of the first minibatch, relative to the largest element of each
/// tensor.
const MINIBATCH_TOLERANCE: f64 = 1e-5;
/// Tolerance for statistics and weights after the epoch.
const EPOCH_TOLERANCE: f64 = 1e-3;

struct Case {
    model: Model,
    rollout: RolloutBuffer,
    content: Value,
}

impl Case {
    fn read(zip: &[u8], gz: &[u8]) -> Self {
        let model = Model::from_zip(zip, "fixture").unwrap();
        let mut text = String::new();
        flate2::read::GzDecoder::new(gz).read_to_string(&mut text).unwrap();
        let content: Value = serde_json::from_str(&text).unwrap();
        let rollout = rollout(&model.config, model.policy.obs_len(), &content["rollout"]);
        Self { model, rollout, content }
    }

    /// Uses this instruction set instead of the best one.
    fn on(mut self, arch: Arch) -> Self {
        self.model.policy.arch = arch;
        self
    }

    fn order(&self) -> Vec<u32> {
        let rows = self.content["permutation"].as_array().unwrap();
        rows.iter().map(|row| row.as_u64().unwrap() as u32).collect()
    }

    fn check_first_minibatch(&self) {
        let Self { model, rollout, content } = self;
        let config = &model.config;
        let mut updater = Updater::new(&model.policy, config);
        let rows = &self.order()[..config.batch_size];
        let (losses, mut gradient) = updater.gradients(&model.policy, rollout, config, rows);
        let found = [
            ("policy_gradient_loss", losses.policy),
            ("value_loss", losses.value),
            // stable-baselines3 logs the negated entropy.
            ("entropy_loss", -losses.entropy),
            ("clip_fraction", losses.clip_fraction),
        ];
        for (name, found) in found {
            assert_near(name, found, &content["losses"][name], MINIBATCH_TOLERANCE);
        }
        // An absolute tolerance: KL is a small difference of 32-bit numbers near 1.
        let kl = content["losses"]["approx_kl"].as_f64().unwrap();
        assert!((losses.approx_kl - kl).abs() < 1e-6, "{} for {kl}", losses.approx_kl);
        let tensors = |gradient: &ActorCritic<Vec<f32>>| {
            export(&model.policy.networks, gradient.as_ref().map(Vec::as_slice))
        };
        assert_tensors(&tensors(&gradient), &content["gradient"], MINIBATCH_TOLERANCE);
        let squares = gradient.as_ref().map(|part| square_sum(model.policy.arch, part));
        let square_sum = f64::from(squares.actor) + f64::from(squares.critic);
        let scale = clip_scale(square_sum, config.max_grad_norm);
        gradient.as_mut().map(|part| part.iter_mut().for_each(|x| *x *= scale));
        assert_tensors(&tensors(&gradient), &content["clipped_gradient"], MINIBATCH_TOLERANCE);
    }

    fn check_epoch(mut self) {
        let order = self.order();
        let Self { model, rollout, content } = &mut self;
        let mut updater = Updater::new(&model.policy, &model.config);
        let Model { policy, adam, config, .. } = model;
        let stats = updater.one_epoch(policy, adam, rollout, config, &order);
        let found = [
            ("policy_gradient_loss", stats.losses.policy),
            ("value_loss", stats.losses.value),
            ("entropy_loss", -stats.losses.entropy),
            ("approx_kl", stats.losses.approx_kl),
            ("clip_fraction", stats.losses.clip_fraction),
            ("loss", stats.loss),
        ];
        for (name, found) in found {
            assert_near(name, found, &content["epoch"][name], EPOCH_TOLERANCE);
        }
        assert_tensors(&model.policy.tensors(), &content["weights"], EPOCH_TOLERANCE);
    }
}

fn numbers(value: &Value) -> Vec<f32> {
    let bytes = STANDARD.decode(value.as_str().unwrap()).unwrap();
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn rollout(config: &PpoConfig, obs_len: usize, content: &Value) -> RolloutBuffer {
    let mut rollout = RolloutBuffer::new(config, obs_len);
    rollout.obs = numbers(&content["observations"]);
    rollout.actions = numbers(&content["actions"]).into_iter().map(|x| x as u32).collect();
    rollout.log_probs = numbers(&content["log_probs"]);
    rollout.advantages = numbers(&content["advantages"]);
    rollout.returns = numbers(&content["returns"]);
    let step = |value| Timestep { reward: 0.0, value, end: StepEnd::Running };
    rollout.steps = numbers(&content["values"]).into_iter().map(step).collect();
    assert_eq!(rollout.obs.len(), rollout.len() * obs_len);
    rollout
}

fn assert_near(name: &str, found: f64, expected: &Value, tolerance: f64) {
    let expected = expected.as_f64().unwrap();
    let allowed = tolerance * expected.abs() + 1e-12;
    assert!((found - expected).abs() <= allowed, "{name}: {found} for {expected}");
}

fn assert_tensors(found: &[NamedTensor], expected: &Value, tolerance: f64) {
    assert_eq!(found.len(), expected.as_object().unwrap().len());
    for tensor in found {
        let expected = numbers(&expected[&tensor.name]);
        assert_eq!(tensor.values.len(), expected.len());
        let largest = expected.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
        for (found, expected) in tensor.values.iter().zip(&expected) {
            let difference = f64::from((found - expected).abs());
            let allowed = tolerance * f64::from(largest);
            assert!(difference <= allowed, "{}: {found} for {expected}", tensor.name);
        }
    }
}

fn tanh() -> Case {
    let zip = include_bytes!("../fixtures/sb3_tanh.zip");
    Case::read(zip, include_bytes!("../fixtures/sb3_tanh.json.gz"))
}

/// Other networks, value clipping, entropy bonus, no normalized advantages, a shorter last minibatch.
fn relu() -> Case {
    let zip = include_bytes!("../fixtures/sb3_relu.zip");
    Case::read(zip, include_bytes!("../fixtures/sb3_relu.json.gz"))
}

#[test]
fn losses_and_gradient_of_the_first_minibatch_are_those_of_stable_baselines3() {
    for arch in instruction_sets() {
        tanh().on(arch).check_first_minibatch();
        relu().on(arch).check_first_minibatch();
    }
}

#[test]
fn statistics_and_weights_after_an_epoch_are_those_of_stable_baselines3() {
    for arch in instruction_sets() {
        tanh().on(arch).check_epoch();
        relu().on(arch).check_epoch();
    }
}
