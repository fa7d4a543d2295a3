//! The gradient of a whole minibatch, through loss and networks, compared with finite differences of a
//! loss computed in doubles directly from its definition.

use crate::config::{Activation, NetArch, PpoConfig};
use crate::network::policy::Policy;
use crate::network::tensors::{NamedTensor, export};
use crate::rng::Rng;
use crate::rollout::buffer::RolloutBuffer;
use crate::rollout::timestep::{StepEnd, Timestep};
use crate::update::loss::Objective;
use crate::update::ppo::Updater;

const OBS_LEN: usize = 3;
const N_ACTIONS: usize = 4;
/// More than one shard, and not a multiple of the shard size.
const ROWS: usize = 70;
const DIFFERENCE: f64 = 1e-5;

/// A policy, and a rollout that it could have collected.
struct Case {
    config: PpoConfig,
    policy: Policy,
    rollout: RolloutBuffer,
}

impl Case {
    fn new(change: impl FnOnce(&mut PpoConfig)) -> Self {
        let net_arch = NetArch { pi: vec![5, 17], vf: vec![6] };
        let mut config = PpoConfig {
            n_steps: ROWS,
            batch_size: ROWS,
            net_arch,
            normalize_advantage: false,
            ..PpoConfig::default()
        };
        change(&mut config);
        let mut rng = Rng::new(11);
        let policy =
            Policy::new(OBS_LEN, N_ACTIONS, config.net_arch.clone(), config.activation, &mut rng)
                .unwrap();
        // Far from the initial weights, where all actions are equally likely and all biases zero.
        let mut tensors = policy.tensors();
        for value in tensors.iter_mut().flat_map(|tensor| &mut tensor.values) {
            *value += 0.5 * rng.normal() as f32;
        }
        let policy = Policy::from_tensors(
            OBS_LEN,
            &[N_ACTIONS],
            config.net_arch.clone(),
            config.activation,
            &tensors,
        )
        .unwrap();
        let rollout = rollout(&config, &policy, &mut rng);
        Self { config, policy, rollout }
    }

    fn check(&self) {
        let mut updater = Updater::new(&self.policy, &self.config);
        let rows: Vec<u32> = (0..ROWS as u32).collect();
        let objective = Objective::new(&self.config);
        let (losses, gradient) =
            updater.gradients(&self.policy, &self.rollout, &self.config, &rows);
        let gradient = export(&self.policy.networks, gradient.as_ref().map(Vec::as_slice));

        let mut weights: Vec<Vec<f64>> = self.policy.tensors().iter().map(doubles).collect();
        let loss = self.loss(&weights);
        assert!(
            (objective.total(&losses) - loss).abs() < 1e-5,
            "loss {losses:?} instead of {loss}"
        );
        for (tensor_idx, tensor) in gradient.iter().enumerate() {
            for (value_idx, got) in tensor.values.iter().enumerate() {
                let weight = weights[tensor_idx][value_idx];
                let mut loss_at = |shift: f64| {
                    weights[tensor_idx][value_idx] = weight + shift;
                    self.loss(&weights)
                };
                let want = (loss_at(DIFFERENCE) - loss_at(-DIFFERENCE)) / (2.0 * DIFFERENCE);
                weights[tensor_idx][value_idx] = weight;
                let off = (f64::from(*got) - want).abs();
                assert!(
                    off < 1e-5 + 1e-4 * want.abs(),
                    "{}[{value_idx}]: {got}, {want}",
                    tensor.name
                );
            }
        }
    }

    /// `−E[min(r·A, clip(r)·A)] − ent_coef·E[H] + vf_coef·E[(V − R)²]`.
    fn loss(&self, weights: &[Vec<f64>]) -> f64 {
        let (config, mut sum) = (&self.config, 0.0);
        for row in 0..ROWS {
            let (logits, value) = self.forward(weights, self.rollout.obs(row));
            let log_sum = logits.iter().map(|x| x.exp()).sum::<f64>().ln();
            let log_probs: Vec<f64> = logits.iter().map(|x| x - log_sum).collect();
            let entropy: f64 = log_probs.iter().map(|log_p| -log_p * log_p.exp()).sum();
            let log_prob = log_probs[self.rollout.actions[row] as usize];
            let ratio = (log_prob - f64::from(self.rollout.log_probs[row])).exp();
            let advantage = f64::from(self.rollout.advantages[row]);
            let range = config.clip_range;
            let clipped = ratio.clamp(1.0 - range, 1.0 + range);
            let old_value = f64::from(self.rollout.steps[row].value);
            let value = config
                .clip_range_vf
                .map_or(value, |range| old_value + (value - old_value).clamp(-range, range));
            sum -= (ratio * advantage).min(clipped * advantage);
            sum -= config.ent_coef * entropy;
            sum += config.vf_coef * (value - f64::from(self.rollout.returns[row])).powi(2);
        }
        sum / ROWS as f64
    }

    fn forward(&self, weights: &[Vec<f64>], obs: &[f32]) -> (Vec<f64>, f64) {
        let (pi, vf) = (self.config.net_arch.pi.len(), self.config.net_arch.vf.len());
        let mlp = |hidden: std::ops::Range<usize>, head: usize| {
            let mut x: Vec<f64> = obs.iter().map(|x| f64::from(*x)).collect();
            for layer in hidden.chain([head]) {
                let (matrix, bias) = (&weights[2 * layer], &weights[2 * layer + 1]);
                let rows = matrix.chunks_exact(x.len()).zip(bias);
                x = rows
                    .map(|(row, b)| b + row.iter().zip(&x).map(|(w, x)| w * x).sum::<f64>())
                    .collect();
                if layer != head {
                    x = x.into_iter().map(|x| self.activate(x)).collect();
                }
            }
            x
        };
        (mlp(0..pi, pi + vf), mlp(pi..pi + vf, pi + vf + 1)[0])
    }

    fn activate(&self, x: f64) -> f64 {
        match self.config.activation {
            Activation::Tanh => x.tanh(),
            Activation::Relu => x.max(0.0),
        }
    }
}

/// Random observations and rewards. Log-probabilities and values are so close to those of the policy
/// that some samples are clipped and some are not.
fn rollout(config: &PpoConfig, policy: &Policy, rng: &mut Rng) -> RolloutBuffer {
    let mut rollout = RolloutBuffer::new(config, OBS_LEN);
    let mut scratch = policy.scratch();
    let mut noise = |scale: f64| (scale * rng.normal()) as f32;
    rollout.obs.iter_mut().for_each(|x| *x = noise(1.0));
    for row in 0..ROWS {
        let action = row % N_ACTIONS;
        let now = policy.evaluate(rollout.obs(row), action, &mut scratch);
        rollout.actions[row] = action as u32;
        rollout.log_probs[row] = now.log_prob + noise(0.3);
        let value = now.value + noise(0.3);
        rollout.steps[row] = Timestep { reward: 0.0, value, end: StepEnd::Running };
        rollout.advantages[row] = noise(1.0);
        rollout.returns[row] = value + noise(1.0);
    }
    rollout
}

fn doubles(tensor: &NamedTensor) -> Vec<f64> {
    tensor.values.iter().map(|x| f64::from(*x)).collect()
}

#[test]
fn gradient_is_right_with_the_defaults() {
    Case::new(|_| {}).check();
}

#[test]
fn gradient_is_right_with_relu() {
    Case::new(|config| config.activation = Activation::Relu).check();
}

#[test]
fn gradient_is_right_with_entropy_bonus() {
    Case::new(|config| config.ent_coef = 0.7).check();
}

#[test]
fn gradient_is_right_if_nothing_is_clipped() {
    Case::new(|config| config.clip_range = 1e3).check();
}

#[test]
fn gradient_is_right_if_almost_everything_is_clipped() {
    Case::new(|config| {
        config.clip_range = 0.01;
        config.clip_range_vf = Some(0.1);
    })
    .check();
}

#[test]
fn gradient_is_right_without_hidden_layers() {
    Case::new(|config| config.net_arch = NetArch { pi: vec![], vf: vec![] }).check();
}
