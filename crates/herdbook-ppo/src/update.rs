//! The update of PPO (arXiv:1707.06347, algorithm 1), minibatch by minibatch.

use std::ops::ControlFlow;

use crate::adam::clip_norm;
use crate::loss::{LossScratch, Losses, Objective, Sample};
use crate::math::buffer::Buffer;
use crate::math::elementwise;
use crate::network::Outputs;
use crate::rollout::Rollout;
use crate::{Adam, Policy, PpoConfig, Rng};

/// A minibatch is worked through in shards of this many rows, whose gradients are summed in order:
/// the sum does not depend on who computes which shard.
const SHARD_ROWS: usize = 64;

/// The approximate divergence may exceed `target_kl` by this factor (stable-baselines3's `PPO.train`).
const TARGET_KL_SLACK: f64 = 1.5;

/// Buffers of the update, made once.
#[derive(Debug)]
pub(crate) struct Updater {
    /// The rows of a rollout, in the order of the epoch.
    order: Vec<u32>,
    samples: Vec<Sample>,
    gradient: Buffer,
    shard: Shard,
}

/// Everything needed to compute the gradient of some rows.
#[derive(Debug)]
struct Shard {
    obs: Buffer,
    pi: Outputs,
    vf: Outputs,
    loss: LossScratch,
    backward: Buffer,
    gradient: Buffer,
}

/// What all epochs of one rollout came to.
#[derive(Debug, Default)]
pub(crate) struct UpdateStats {
    /// Means over all minibatches; `approx_kl` over those of the last epoch.
    pub(crate) losses: Losses,
    /// Of the last minibatch.
    pub(crate) loss: f64,
    /// Epochs begun.
    pub(crate) n_epochs: u32,
}

impl Updater {
    pub(crate) fn new(policy: &Policy, config: &PpoConfig) -> Self {
        Self {
            order: Vec::with_capacity(config.rollout_len()),
            samples: Vec::with_capacity(config.batch_size),
            gradient: Buffer::zeroed(policy.network.len),
            shard: Shard::new(policy),
        }
    }

    /// Fits the policy to one rollout.
    pub(crate) fn update(
        &mut self,
        policy: &mut Policy,
        adam: &mut Adam,
        rollout: &Rollout,
        config: &PpoConfig,
        rng: &mut Rng,
    ) -> UpdateStats {
        let mut means = Means::default();
        let mut order = std::mem::take(&mut self.order);
        // Anew for each rollout: between two iterations, the generator is all the randomness there is.
        order.clear();
        order.extend(0..rollout.len() as u32);
        for _ in 0..config.n_epochs {
            rng.shuffle(&mut order);
            if self.epoch(policy, adam, rollout, config, &order, &mut means).is_break() {
                break;
            }
        }
        self.order = order;
        means.finish()
    }

    /// One pass over the rows of a rollout in the order given; breaks off where the policy has moved too far.
    fn epoch(
        &mut self,
        policy: &mut Policy,
        adam: &mut Adam,
        rollout: &Rollout,
        config: &PpoConfig,
        order: &[u32],
        means: &mut Means,
    ) -> ControlFlow<()> {
        let objective = Objective::new(config);
        means.start_epoch();
        for minibatch in order.chunks(config.batch_size) {
            self.load(rollout, minibatch, config.normalize_advantage);
            let losses = self.differentiate(policy, rollout, minibatch, &objective);
            means.add(&losses, objective.total(&losses));
            if config.target_kl.is_some_and(|target| losses.approx_kl > TARGET_KL_SLACK * target) {
                return ControlFlow::Break(());
            }
            clip_norm(policy.arch, &mut self.gradient, config.max_grad_norm);
            adam.update(
                policy.arch,
                &mut policy.weights.flat,
                &self.gradient,
                config.learning_rate,
            );
            policy.weights.transpose(&policy.network);
        }
        ControlFlow::Continue(())
    }

    /// Gathers what the rollout recorded of a minibatch.
    pub(crate) fn load(&mut self, rollout: &Rollout, minibatch: &[u32], normalize: bool) {
        self.samples.clear();
        self.samples.extend(minibatch.iter().map(|&row| {
            let row = row as usize;
            Sample {
                action: rollout.actions[row],
                log_prob: rollout.log_probs[row],
                value: rollout.steps[row].value,
                advantage: rollout.advantages[row],
                target: rollout.returns[row],
            }
        }));
        if normalize {
            normalize_advantages(&mut self.samples);
        }
    }

    /// Computes the losses of a minibatch and their gradient.
    pub(crate) fn differentiate(
        &mut self,
        policy: &Policy,
        rollout: &Rollout,
        minibatch: &[u32],
        objective: &Objective,
    ) -> Losses {
        let weight = 1.0 / minibatch.len() as f32;
        let shards = minibatch.chunks(SHARD_ROWS).zip(self.samples.chunks(SHARD_ROWS));
        let mut total = Losses::default();
        for (shard_idx, (rows, samples)) in shards.enumerate() {
            total += self.shard.differentiate(policy, rollout, rows, samples, weight, objective);
            if shard_idx == 0 {
                std::mem::swap(&mut self.gradient, &mut self.shard.gradient);
            } else {
                elementwise::add(policy.arch, &mut self.gradient, &self.shard.gradient);
            }
        }
        total
    }
}

#[cfg(test)]
impl Updater {
    pub(crate) fn gradient(&self) -> &[f32] {
        &self.gradient
    }

    /// One epoch in an order that was drawn elsewhere.
    pub(crate) fn one_epoch(
        &mut self,
        policy: &mut Policy,
        adam: &mut Adam,
        rollout: &Rollout,
        config: &PpoConfig,
        order: &[u32],
    ) -> UpdateStats {
        let mut means = Means::default();
        let _ = self.epoch(policy, adam, rollout, config, order, &mut means);
        means.finish()
    }
}

impl Shard {
    fn new(policy: &Policy) -> Self {
        let network = &policy.network;
        let max_width = network.pi.max_width().max(network.vf.max_width());
        Self {
            obs: Buffer::zeroed(SHARD_ROWS * policy.obs_len()),
            pi: Outputs::new(&network.pi, SHARD_ROWS),
            vf: Outputs::new(&network.vf, SHARD_ROWS),
            loss: LossScratch::new(SHARD_ROWS, policy.n_actions()),
            backward: Buffer::zeroed(SHARD_ROWS * max_width),
            gradient: Buffer::zeroed(network.len),
        }
    }

    /// Forward pass, loss, backward pass.
    fn differentiate(
        &mut self,
        policy: &Policy,
        rollout: &Rollout,
        rows: &[u32],
        samples: &[Sample],
        weight: f32,
        objective: &Objective,
    ) -> Losses {
        for (obs, &row) in self.obs.chunks_exact_mut(rollout.obs_len).zip(rows) {
            obs.copy_from_slice(rollout.obs(row as usize));
        }
        let pass = policy.pass(&self.obs, rows.len());
        let (pi, vf) = (&policy.network.pi, &policy.network.vf);
        pi.forward(pass, &mut self.pi);
        vf.forward(pass, &mut self.vf);
        let (logits, values) = (self.pi.last(rows.len()), self.vf.last(rows.len()));
        let losses =
            objective.differentiate(policy.arch, samples, weight, logits, values, &mut self.loss);
        pi.backward(pass, &mut self.pi, &mut self.backward, &mut self.gradient);
        vf.backward(pass, &mut self.vf, &mut self.backward, &mut self.gradient);
        losses
    }
}

/// Brings the advantages to mean 0 and sample standard deviation 1; a single one is left alone.
fn normalize_advantages(samples: &mut [Sample]) {
    if samples.len() < 2 {
        return;
    }
    let n = samples.len() as f64;
    let mean = samples.iter().map(|sample| f64::from(sample.advantage)).sum::<f64>() / n;
    let squares = samples.iter().map(|sample| (f64::from(sample.advantage) - mean).powi(2));
    let deviation = (squares.sum::<f64>() / (n - 1.0)).sqrt();
    let (mean, scale) = (mean as f32, (1.0 / (deviation + 1e-8)) as f32);
    for sample in samples {
        sample.advantage = (sample.advantage - mean) * scale;
    }
}

/// Running sums of the losses.
#[derive(Debug, Default)]
struct Means {
    sum: Losses,
    n_minibatches: u32,
    epoch_kl: f64,
    epoch_minibatches: u32,
    loss: f64,
    n_epochs: u32,
}

impl Means {
    fn start_epoch(&mut self) {
        (self.epoch_kl, self.epoch_minibatches) = (0.0, 0);
        self.n_epochs += 1;
    }

    fn add(&mut self, losses: &Losses, loss: f64) {
        self.sum += *losses;
        self.epoch_kl += losses.approx_kl;
        self.epoch_minibatches += 1;
        self.n_minibatches += 1;
        self.loss = loss;
    }

    fn finish(self) -> UpdateStats {
        let mean = |sum: f64| sum / f64::from(self.n_minibatches);
        let losses = Losses {
            policy: mean(self.sum.policy),
            value: mean(self.sum.value),
            entropy: mean(self.sum.entropy),
            approx_kl: self.epoch_kl / f64::from(self.epoch_minibatches),
            clip_fraction: mean(self.sum.clip_fraction),
        };
        UpdateStats { losses, loss: self.loss, n_epochs: self.n_epochs }
    }
}
