//! The loss of PPO and its gradient with respect to the outputs of the two networks.

use pulp::Arch;

use crate::config::PpoConfig;
use crate::math::buffer::Buffer;
use crate::math::{categorical, elementwise, padded};
use crate::rollout::buffer::Sample;

/// The coefficients of the loss.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Objective {
    clip_range: f32,
    clip_range_vf: Option<f32>,
    ent_coef: f32,
    vf_coef: f32,
}

/// The parts of the loss and what is logged beside them, each a mean over the minibatch.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Losses {
    /// The clipped surrogate objective, negated.
    pub(crate) policy: f64,
    /// The squared error of the value.
    pub(crate) value: f64,
    /// Entropy of the distribution over actions, in nats.
    pub(crate) entropy: f64,
    /// `(ratio − 1) − ln ratio`, an estimate of the KL divergence between the policy of the rollout
    /// and the current one (Schulman, <http://joschu.net/blog/kl-approx.html>).
    pub(crate) approx_kl: f64,
    /// Fraction of samples whose ratio lies outside the clip range.
    pub(crate) clip_fraction: f64,
}

/// Buffers for the distributions of one shard.
#[derive(Debug)]
pub(crate) struct LossScratch {
    n_actions: usize,
    probabilities: Buffer,
    ratios: Buffer,
}

impl LossScratch {
    pub(crate) fn new(rows: usize, n_actions: usize) -> Self {
        let probabilities = Buffer::zeroed(rows * padded(n_actions));
        Self { n_actions, probabilities, ratios: Buffer::zeroed(padded(rows)) }
    }
}

impl Objective {
    pub(crate) fn new(config: &PpoConfig) -> Self {
        Self {
            clip_range: config.clip_range as f32,
            clip_range_vf: config.clip_range_vf.map(|range| range as f32),
            ent_coef: config.ent_coef as f32,
            vf_coef: config.vf_coef as f32,
        }
    }

    /// Replaces `logits` by the gradient of the loss with respect to them. Each sample has the weight
    /// `weight` in the mean over the minibatch; returned is the samples' share of that mean. Rows of
    /// `logits` have [`padded`] width.
    pub(crate) fn differentiate_policy(
        &self,
        arch: Arch,
        samples: &[Sample],
        weight: f32,
        logits: &mut [f32],
        scratch: &mut LossScratch,
    ) -> Losses {
        let (n_actions, width) = (scratch.n_actions, padded(scratch.n_actions));
        let probabilities = &mut scratch.probabilities[..logits.len()];
        categorical::log_softmax(arch, n_actions, logits, probabilities);
        let ratios = &mut scratch.ratios[..padded(samples.len())];
        let mut losses = Losses::default();
        for ((ratio, sample), log_probs) in ratios.iter_mut().zip(samples).zip(logits.chunks(width))
        {
            let log_ratio = log_probs[sample.action as usize] - sample.log_prob;
            losses.approx_kl -= f64::from(log_ratio);
            *ratio = log_ratio;
        }
        elementwise::exp(arch, ratios);
        let rows = logits.chunks_mut(width).zip(probabilities.chunks(width));
        for ((sample, &ratio), (logits, probabilities)) in samples.iter().zip(&*ratios).zip(rows) {
            let (log_probs, padding) = logits.split_at_mut(n_actions);
            losses +=
                self.policy_gradient(sample, ratio, weight, log_probs, &probabilities[..n_actions]);
            padding.fill(0.0);
        }
        losses.scaled(f64::from(weight))
    }

    /// Like [`Objective::differentiate_policy`], for the values and the value loss.
    pub(crate) fn differentiate_value(
        &self,
        samples: &[Sample],
        weight: f32,
        values: &mut [f32],
    ) -> Losses {
        let mut losses = Losses::default();
        for (sample, values) in samples.iter().zip(values.chunks_mut(padded(1))) {
            let (value_loss, slope) = self.value_loss(sample, values[0]);
            values.fill(0.0);
            values[0] = weight * self.vf_coef * slope;
            losses.value += f64::from(value_loss);
        }
        losses.scaled(f64::from(weight))
    }

    /// Replaces one row of log-probabilities by the gradient of the loss with respect to its logits.
    fn policy_gradient(
        &self,
        sample: &Sample,
        ratio: f32,
        weight: f32,
        log_probs: &mut [f32],
        probabilities: &[f32],
    ) -> Losses {
        let (objective, slope) = self.surrogate(ratio, sample.advantage);
        let entropy = categorical::entropy(log_probs, probabilities);
        // For logit i: d ln p(a) / d logit = [i = a] − p, d entropy / d logit = −p·(ln p + entropy).
        for (log_prob, p) in log_probs.iter_mut().zip(probabilities) {
            *log_prob = weight * p * (slope + self.ent_coef * (*log_prob + entropy));
        }
        log_probs[sample.action as usize] -= weight * slope;
        Losses {
            policy: f64::from(-objective),
            value: 0.0,
            entropy: entropy.into(),
            approx_kl: f64::from(ratio - 1.0),
            clip_fraction: f64::from(u8::from((ratio - 1.0).abs() > self.clip_range)),
        }
    }

    /// `min(ratio·A, clip(ratio, 1 − ε, 1 + ε)·A)` (arXiv:1707.06347, equation 7), and its derivative
    /// with respect to the log-probability of the action.
    fn surrogate(&self, ratio: f32, advantage: f32) -> (f32, f32) {
        let clipped = ratio.clamp(1.0 - self.clip_range, 1.0 + self.clip_range);
        let (unclipped, clipped) = (ratio * advantage, clipped * advantage);
        // Inside the clip range both are equal; outside, the clipped one is constant.
        if unclipped <= clipped { (unclipped, unclipped) } else { (clipped, 0.0) }
    }

    /// The squared error of the value, and its derivative. With `clip_range_vf`, the value is first
    /// clipped to that distance from the value of the rollout, as `PPO.train` of stable-baselines3
    /// does.
    fn value_loss(&self, sample: &Sample, value: f32) -> (f32, f32) {
        let Some(range) = self.clip_range_vf else {
            let difference = value - sample.target;
            return (difference * difference, 2.0 * difference);
        };
        let change = value - sample.value;
        let difference = sample.value + change.clamp(-range, range) - sample.target;
        let slope = if change.abs() <= range { 2.0 * difference } else { 0.0 };
        (difference * difference, slope)
    }

    /// The total loss (arXiv:1707.06347, equation 9, negated). Its gradient is what
    /// [`Objective::differentiate_policy`] and [`Objective::differentiate_value`] compute.
    pub(crate) fn total(&self, losses: &Losses) -> f64 {
        losses.policy - f64::from(self.ent_coef) * losses.entropy
            + f64::from(self.vf_coef) * losses.value
    }
}

impl Losses {
    fn scaled(self, factor: f64) -> Self {
        Self {
            policy: self.policy * factor,
            value: self.value * factor,
            entropy: self.entropy * factor,
            approx_kl: self.approx_kl * factor,
            clip_fraction: self.clip_fraction * factor,
        }
    }
}

impl std::ops::AddAssign for Losses {
    fn add_assign(&mut self, other: Self) {
        self.policy += other.policy;
        self.value += other.value;
        self.entropy += other.entropy;
        self.approx_kl += other.approx_kl;
        self.clip_fraction += other.clip_fraction;
    }
}
