//! Statistics of one update, averaged as stable-baselines3 logs them.

use crate::update::loss::{Losses, Objective};

/// Statistics over all epochs of one rollout.
#[derive(Debug, Default)]
pub(crate) struct UpdateStatistics {
    /// Means over all minibatches; `approx_kl` over the minibatches of the last epoch.
    pub(crate) losses: Losses,
    /// Total loss of the last minibatch.
    pub(crate) loss: f64,
    /// Epochs started.
    pub(crate) n_epochs: u32,
}

/// Running sums over the minibatches.
#[derive(Debug, Default)]
pub(crate) struct StatisticsAccumulator {
    sum: Losses,
    last: Losses,
    epoch_kl: f64,
    epoch_minibatches: u32,
    n_minibatches: u32,
    n_epochs: u32,
    /// Steps of Adam. Fewer than minibatches if the KL stop ended the last epoch.
    pub(crate) n_steps: u32,
}

impl StatisticsAccumulator {
    pub(crate) fn start_epoch(&mut self) {
        (self.epoch_kl, self.epoch_minibatches) = (0.0, 0);
        self.n_epochs += 1;
    }

    pub(crate) fn add(&mut self, losses: &Losses) {
        self.sum += *losses;
        self.last = *losses;
        self.epoch_kl += losses.approx_kl;
        self.epoch_minibatches += 1;
        self.n_minibatches += 1;
    }

    /// Adds the losses of the other network, which were computed on the same minibatches.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
        self.last += other.last;
        self.epoch_kl += other.epoch_kl;
    }

    pub(crate) fn finish(self, objective: &Objective) -> UpdateStatistics {
        let mean = |sum: f64| sum / f64::from(self.n_minibatches);
        let losses = Losses {
            policy: mean(self.sum.policy),
            value: mean(self.sum.value),
            entropy: mean(self.sum.entropy),
            approx_kl: self.epoch_kl / f64::from(self.epoch_minibatches),
            clip_fraction: mean(self.sum.clip_fraction),
        };
        UpdateStatistics { losses, loss: objective.total(&self.last), n_epochs: self.n_epochs }
    }
}
