//! The objective of PPO and its gradient with respect to what the two networks put out.

use pulp::Arch;

use crate::PpoConfig;
use crate::math::buffer::Buffer;
use crate::math::{categorical, elementwise, padded};

/// The constants of the objective.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Objective {
    pub(crate) clip_range: f32,
    pub(crate) clip_range_vf: Option<f32>,
    pub(crate) ent_coef: f32,
    pub(crate) vf_coef: f32,
}

/// What the rollout recorded of one row of a minibatch, its advantage perhaps normalised.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) action: u32,
    pub(crate) log_prob: f32,
    pub(crate) value: f32,
    pub(crate) advantage: f32,
    pub(crate) target: f32,
}

/// Parts of the objective, each a mean over the minibatch.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Losses {
    pub(crate) policy: f64,
    pub(crate) value: f64,
    pub(crate) entropy: f64,
    pub(crate) approx_kl: f64,
    pub(crate) clip_fraction: f64,
}

/// Room for the distributions of one shard.
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

    /// Replaces `logits`, rows of [`padded`] width, by the gradient of the loss with respect to them, and gives the
    /// samples' share of the policy's losses of a minibatch of which each sample weighs `weight`.
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
            *ratio = log_probs[sample.action as usize] - sample.log_prob;
            losses.approx_kl -= f64::from(*ratio);
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

    /// The same for `values` and the value's loss.
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

    /// Replaces one row of log-probabilities by the gradient with respect to its logits.
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
        // d ln p(a) / d logit = [logit of a] − p, and d entropy / d logit = −p·(ln p + entropy).
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
    /// with respect to the action's log-probability.
    fn surrogate(&self, ratio: f32, advantage: f32) -> (f32, f32) {
        let clipped = ratio.clamp(1.0 - self.clip_range, 1.0 + self.clip_range);
        let (free, held) = (ratio * advantage, clipped * advantage);
        // Inside the range both are equal; outside, the held one is constant.
        if free <= held { (free, free) } else { (held, 0.0) }
    }

    /// The squared distance of the value from the return, and its derivative. With `clip_range_vf`
    /// the value is first held near what it was at the time of the rollout.
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

    /// The loss whose gradient [`Objective::differentiate`] gives.
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
