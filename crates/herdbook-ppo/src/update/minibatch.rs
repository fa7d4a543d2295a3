//! A minibatch: some rows of a rollout, processed in shards.

use crate::config::PpoConfig;
use crate::math::buffer::Buffer;
use crate::network::policy::Policy;
use crate::rollout::buffer::{RolloutBuffer, Sample};

/// Rows per shard. A minibatch is processed shard by shard, which bounds the buffers for activations;
/// the gradients of the shards are summed in order.
pub(crate) const SHARD_ROWS: usize = 64;

/// Buffers for all samples of a minibatch, and for the observations of one shard.
#[derive(Debug)]
pub(crate) struct Minibatch {
    samples: Vec<Sample>,
    obs: Buffer,
}

/// Consecutive rows of a minibatch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shard<'a> {
    /// Position among the shards of the minibatch.
    pub(crate) idx: usize,
    pub(crate) samples: &'a [Sample],
    /// `[samples, obs_len]`.
    pub(crate) obs: &'a [f32],
    /// Weight of each sample in the mean over the minibatch: 1 divided by its number of rows.
    pub(crate) weight: f32,
}

impl Minibatch {
    pub(crate) fn new(policy: &Policy, config: &PpoConfig) -> Self {
        Self {
            samples: Vec::with_capacity(config.batch_size),
            obs: Buffer::zeroed(SHARD_ROWS * policy.obs_len()),
        }
    }

    /// Copies the given rows out of the rollout, normalizes their advantages if configured, and calls
    /// `process` with one shard after the other.
    pub(crate) fn for_each_shard(
        &mut self,
        rollout: &RolloutBuffer,
        rows: &[u32],
        config: &PpoConfig,
        mut process: impl FnMut(Shard<'_>),
    ) {
        let Self { samples, obs } = self;
        samples.clear();
        samples.extend(rows.iter().map(|&row| rollout.sample(row as usize)));
        if config.normalize_advantage {
            normalize_advantages(samples);
        }
        let weight = 1.0 / rows.len() as f32;
        let shards = rows.chunks(SHARD_ROWS).zip(samples.chunks(SHARD_ROWS));
        for (idx, (rows, samples)) in shards.enumerate() {
            for (obs, &row) in obs.chunks_exact_mut(rollout.obs_len).zip(rows) {
                obs.copy_from_slice(rollout.obs(row as usize));
            }
            process(Shard { idx, samples, obs, weight });
        }
    }
}

/// Scales the advantages to mean 0 and sample standard deviation 1, with the 1e-8 that `PPO.train` of
/// stable-baselines3 adds to the deviation. A single advantage is left unchanged.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Activation, NetArch};
    use crate::rng::Rng;

    const ROWS: usize = 150;

    /// The shards of a minibatch as pairs of observation and advantage, and their weights. Row `i` of
    /// the rollout has observation `i` and advantage `i²`.
    fn shards(rows: &[u32], normalize_advantage: bool) -> (Vec<Vec<(f32, f32)>>, Vec<f32>) {
        let config = PpoConfig { n_steps: ROWS, normalize_advantage, ..PpoConfig::default() };
        let net_arch = NetArch { pi: vec![], vf: vec![] };
        let policy = Policy::new(1, 2, net_arch, Activation::Tanh, &mut Rng::new(1)).unwrap();
        let mut rollout = RolloutBuffer::new(&config, 1);
        for row in 0..ROWS {
            rollout.obs[row] = row as f32;
            rollout.advantages[row] = (row * row) as f32;
        }
        let (mut shards, mut weights) = (vec![], vec![]);
        Minibatch::new(&policy, &config).for_each_shard(&rollout, rows, &config, |shard| {
            assert_eq!(shard.idx, shards.len());
            let advantages = shard.samples.iter().map(|sample| sample.advantage);
            shards.push(shard.obs.iter().copied().zip(advantages).collect());
            weights.push(shard.weight);
        });
        (shards, weights)
    }

    #[test]
    fn shards_are_the_rows_in_order_with_the_weight_of_the_minibatch() {
        let rows: Vec<u32> = (0..ROWS as u32).rev().collect();
        let (shards, weights) = shards(&rows, false);
        assert_eq!(shards.iter().map(Vec::len).collect::<Vec<_>>(), [64, 64, 22]);
        let expected: Vec<_> = rows.iter().map(|&row| (row as f32, (row * row) as f32)).collect();
        assert_eq!(shards.concat(), expected);
        assert!(weights.iter().all(|weight| (weight * ROWS as f32 - 1.0).abs() < 1e-6));
    }

    #[test]
    fn advantages_are_normalized_over_the_whole_minibatch() {
        let rows: Vec<u32> = (10..110).collect();
        let (shards, _) = shards(&rows, true);
        let advantages: Vec<f64> = shards.concat().iter().map(|(_, a)| f64::from(*a)).collect();
        let mean = advantages.iter().sum::<f64>() / 100.0;
        let variance = advantages.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / 99.0;
        assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-6, "{mean}, {variance}");
    }

    #[test]
    fn single_advantage_is_not_normalized() {
        assert_eq!(shards(&[3], true).0, [[(3.0, 9.0)]]);
    }
}
