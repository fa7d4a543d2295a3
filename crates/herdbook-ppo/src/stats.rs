//! Statistics of one iteration.

/// Statistics of one iteration: a rollout and the epochs over it.
///
/// Unless stated otherwise, a field is the mean over the minibatches of all epochs, as
/// stable-baselines3 logs it.
#[derive(Debug, Clone, PartialEq)]
pub struct IterationStats {
    /// Timesteps trained so far, including those of the model's parents.
    pub num_timesteps: u64,
    /// Epochs trained so far, including those of the model's parents.
    pub n_updates: u64,
    /// The clipped surrogate objective (arXiv:1707.06347, equation 7), negated.
    pub policy_loss: f64,
    /// Mean squared difference between values and returns.
    pub value_loss: f64,
    /// Entropy of the distribution over actions, in nats.
    pub entropy: f64,
    /// `policy_loss − ent_coef·entropy + vf_coef·value_loss` of the last minibatch.
    pub loss: f64,
    /// Estimate of the KL divergence between the policies before and after the update, in nats: the
    /// mean of `(ratio − 1) − ln ratio` over the last epoch.
    pub approx_kl: f64,
    /// Fraction of samples whose ratio was outside the clip range.
    pub clip_fraction: f64,
    /// Fraction of the returns' variance that the values of the rollout explain: 1 is a perfect
    /// prediction, 0 one no better than a constant. `None` if all returns were equal.
    pub explained_variance: Option<f64>,
    /// The learning rate of this iteration.
    pub learning_rate: f64,
    /// Epochs started; fewer than configured if `target_kl` stopped them.
    pub n_epochs: u32,
    /// Mean reward per timestep of the rollout.
    pub mean_step_reward: f64,
    /// Episodes that ended in this rollout, ordered by timestep, then by environment.
    pub episodes: Vec<EpisodeSummary>,
}

/// One finished episode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpisodeSummary {
    /// Undiscounted sum of its rewards.
    pub reward: f32,
    /// Number of timesteps.
    pub length: u32,
    /// Index of its environment.
    pub env_idx: usize,
}

impl IterationStats {
    /// Mean reward of the episodes that ended, or `None` if none did.
    pub fn mean_episode_reward(&self) -> Option<f64> {
        self.mean_of_episodes(|episode| f64::from(episode.reward))
    }

    /// Mean length in timesteps of the episodes that ended, or `None` if none did.
    pub fn mean_episode_length(&self) -> Option<f64> {
        self.mean_of_episodes(|episode| f64::from(episode.length))
    }

    fn mean_of_episodes(&self, number: impl Fn(&EpisodeSummary) -> f64) -> Option<f64> {
        let sum: f64 = self.episodes.iter().map(number).sum();
        (!self.episodes.is_empty()).then(|| sum / self.episodes.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_none_without_an_ended_episode() {
        let episode = |reward, length| EpisodeSummary { reward, length, env_idx: 0 };
        let mut stats = IterationStats {
            num_timesteps: 0,
            n_updates: 0,
            policy_loss: 0.0,
            value_loss: 0.0,
            entropy: 0.0,
            loss: 0.0,
            approx_kl: 0.0,
            clip_fraction: 0.0,
            explained_variance: None,
            learning_rate: 0.0,
            n_epochs: 0,
            mean_step_reward: 0.0,
            episodes: vec![],
        };
        assert_eq!(stats.mean_episode_reward(), None);
        stats.episodes = vec![episode(1.0, 10), episode(2.0, 30)];
        assert_eq!(stats.mean_episode_reward(), Some(1.5));
        assert_eq!(stats.mean_episode_length(), Some(20.0));
    }
}
