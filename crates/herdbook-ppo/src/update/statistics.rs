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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::PpoConfig;

    fn losses(policy: f64, approx_kl: f64) -> Losses {
        Losses { policy, approx_kl, value: 4.0, ..Losses::default() }
    }

    /// Two epochs of two minibatches, the second one stopped at its last minibatch.
    fn accumulated(minibatches: [Losses; 4]) -> StatisticsAccumulator {
        let mut statistics = StatisticsAccumulator::default();
        for epoch in minibatches.chunks(2) {
            statistics.start_epoch();
            for losses in epoch {
                statistics.add(losses);
            }
        }
        statistics
    }

    fn finished(statistics: StatisticsAccumulator) -> UpdateStatistics {
        statistics.finish(&Objective::new(&PpoConfig::default()))
    }

    #[test]
    fn means_are_over_all_minibatches_but_kl_over_the_last_epoch() {
        let minibatches = [losses(1.0, 8.0), losses(2.0, 8.0), losses(3.0, 0.5), losses(6.0, 1.5)];
        let statistics = finished(accumulated(minibatches));
        assert_eq!(statistics.n_epochs, 2);
        let expected = Losses { policy: 3.0, value: 4.0, approx_kl: 1.0, ..Losses::default() };
        assert_eq!(statistics.losses, expected);
        // Policy loss of the last minibatch plus `vf_coef`, 0.5, times its value loss.
        assert!((statistics.loss - (6.0 + 0.5 * 4.0)).abs() < 1e-12);
    }

    #[test]
    fn merged_statistics_are_those_of_both_networks() {
        let actor = Losses { policy: 2.0, approx_kl: 0.5, ..Losses::default() };
        let critic = Losses { value: 3.0, ..Losses::default() };
        let mut both = actor;
        both += critic;
        let mut merged = accumulated([actor; 4]);
        merged.merge(&accumulated([critic; 4]));
        let (merged, expected) = (finished(merged), finished(accumulated([both; 4])));
        assert_eq!((merged.losses, merged.n_epochs), (expected.losses, expected.n_epochs));
        assert_eq!(merged.loss.to_bits(), expected.loss.to_bits());
    }
}
