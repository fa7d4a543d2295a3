//! One network's side of the update: its gradient of a minibatch, and its step.

use std::array;

use pulp::Arch;

use crate::adam::{AdamStep, Moments, square_sum};
use crate::both::{Both, Net};
use crate::loss::{LossScratch, Losses, Objective, Sample};
use crate::math::buffer::Buffer;
use crate::math::elementwise;
use crate::network::{Mlp, Outputs, Pass, Weights};
use crate::rollout::Rollout;
use crate::{Adam, Policy, PpoConfig};

/// A minibatch is worked through in shards of this many rows, whose gradients are summed in order.
const SHARD_ROWS: usize = 64;

/// What a thread has before it of a minibatch: all of its samples, and the observations of one shard.
#[derive(Debug)]
pub(crate) struct Batch {
    samples: Vec<Sample>,
    obs: Buffer,
}

/// Some rows of a minibatch, of which each weighs `weight`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shard<'a> {
    idx: usize,
    samples: &'a [Sample],
    obs: &'a [f32],
    weight: f32,
}

/// Buffers of one network's update, made once.
#[derive(Debug)]
pub(crate) struct SideBuffers {
    outputs: Outputs,
    loss: LossScratch,
    backward: Buffer,
    /// Of a shard, and of the shards so far.
    gradients: [Buffer; 2],
}

/// One network with what its update needs.
#[derive(Debug)]
pub(crate) struct Side<'a> {
    net: Net,
    mlp: &'a Mlp,
    weights: &'a mut Weights,
    moments: &'a mut Moments,
    buffers: &'a mut SideBuffers,
}

/// What both sides read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task<'a> {
    pub(crate) arch: Arch,
    pub(crate) rollout: &'a Rollout,
    pub(crate) config: &'a PpoConfig,
    pub(crate) objective: Objective,
}

impl<'a> Task<'a> {
    pub(crate) fn new(arch: Arch, rollout: &'a Rollout, config: &'a PpoConfig) -> Self {
        Self { arch, rollout, config, objective: Objective::new(config) }
    }
}

impl Batch {
    pub(crate) fn new(policy: &Policy, config: &PpoConfig) -> Self {
        Self {
            samples: Vec::with_capacity(config.batch_size),
            obs: Buffer::zeroed(SHARD_ROWS * policy.obs_len()),
        }
    }

    /// Gathers what the rollout recorded of a minibatch, and hands it over shard by shard.
    pub(crate) fn for_each_shard(
        &mut self,
        task: &Task<'_>,
        minibatch: &[u32],
        mut work: impl FnMut(Shard<'_>),
    ) {
        let Self { samples, obs } = self;
        let rollout = task.rollout;
        samples.clear();
        samples.extend(minibatch.iter().map(|&row| rollout.sample(row as usize)));
        if task.config.normalize_advantage {
            normalize_advantages(samples);
        }
        let weight = 1.0 / minibatch.len() as f32;
        let shards = minibatch.chunks(SHARD_ROWS).zip(samples.chunks(SHARD_ROWS));
        for (idx, (rows, samples)) in shards.enumerate() {
            for (obs, &row) in obs.chunks_exact_mut(rollout.obs_len).zip(rows) {
                obs.copy_from_slice(rollout.obs(row as usize));
            }
            work(Shard { idx, samples, obs, weight });
        }
    }
}

impl SideBuffers {
    pub(crate) fn of(policy: &Policy) -> Both<Self> {
        policy.network.as_ref().map(|mlp| Self {
            outputs: Outputs::new(mlp, SHARD_ROWS),
            loss: LossScratch::new(SHARD_ROWS, policy.n_logits()),
            backward: Buffer::zeroed(SHARD_ROWS * mlp.max_width()),
            gradients: array::from_fn(|_| Buffer::zeroed(mlp.len)),
        })
    }
}

impl<'a> Side<'a> {
    /// The sides of a policy, for as long as it is updated.
    pub(crate) fn of(
        policy: &'a mut Policy,
        adam: &'a mut Adam,
        buffers: &'a mut Both<SideBuffers>,
    ) -> [Self; 2] {
        let Both { pi, vf } = &policy.network;
        let (weights, moments) = (&mut policy.weights, &mut adam.moments);
        [
            Side {
                net: Net::Pi,
                mlp: pi,
                weights: &mut weights.pi,
                moments: &mut moments.pi,
                buffers: &mut buffers.pi,
            },
            Side {
                net: Net::Vf,
                mlp: vf,
                weights: &mut weights.vf,
                moments: &mut moments.vf,
                buffers: &mut buffers.vf,
            },
        ]
    }

    /// Computes this network's share of the losses of a minibatch, and keeps their gradient, summed over the shards
    /// so far.
    pub(crate) fn differentiate(&mut self, task: &Task<'_>, shard: Shard<'_>) -> Losses {
        let Task { arch, objective, .. } = *task;
        let Shard { idx, samples, obs, weight } = shard;
        let SideBuffers { outputs, loss, backward, gradients: [own, sum] } = &mut *self.buffers;
        let pass = Pass { arch, weights: &*self.weights, obs, rows: samples.len() };
        self.mlp.forward(pass, outputs);
        let out = outputs.last(samples.len());
        let losses = match self.net {
            Net::Pi => objective.differentiate_policy(arch, samples, weight, out, loss),
            Net::Vf => objective.differentiate_value(samples, weight, out),
        };
        self.mlp.backward(pass, outputs, backward, own);
        if idx == 0 {
            std::mem::swap(sum, own);
        } else {
            elementwise::add(arch, sum, own);
        }
        losses
    }

    /// The sum of the squares of the gradient.
    pub(crate) fn square_sum(&self, arch: Arch) -> f32 {
        square_sum(arch, self.gradient())
    }

    /// Moves the weights against `scale` times the gradient.
    pub(crate) fn step(&mut self, arch: Arch, scale: f32, step: AdamStep) {
        let gradient = &self.buffers.gradients[1];
        self.moments.update(arch, &mut self.weights.flat, gradient, scale, step);
        self.weights.transpose(self.mlp);
    }

    /// The gradient of the last minibatch, laid out as the weights are.
    pub(crate) fn gradient(&self) -> &[f32] {
        &self.buffers.gradients[1]
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
