//! What one iteration reports.

/// One rollout and the epochs over it. Means are over the minibatches of all epochs, as
/// stable-baselines3 logs them, where nothing else is said.
#[derive(Debug, Clone, PartialEq)]
pub struct IterationStats {
    /// Timesteps behind the model, those of its parents included.
    pub num_timesteps: u64,
    /// Epochs behind the model.
    pub n_updates: u64,
    /// The clipped surrogate objective, negated.
    pub policy_loss: f64,
    /// Mean squared difference between values and returns.
    pub value_loss: f64,
    /// In nats.
    pub entropy: f64,
    /// `policy_loss − ent_coef·entropy + vf_coef·value_loss` of the last minibatch.
    pub loss: f64,
    /// Mean of `(ratio − 1) − ln ratio` over the last epoch.
    pub approx_kl: f64,
    /// Fraction of samples whose ratio left the clip range.
    pub clip_fraction: f64,
    /// 1 when the values foresaw the returns, 0 when they were no better than a constant; absent
    /// when the returns did not vary.
    pub explained_variance: Option<f64>,
    /// The step size used.
    pub learning_rate: f64,
    /// Epochs begun; fewer than configured when `target_kl` ended them.
    pub n_epochs: u32,
    /// Mean reward per timestep of the rollout.
    pub mean_step_reward: f64,
    /// Episodes that ended in this rollout, in order.
    pub episodes: Vec<EpisodeSummary>,
}

/// One finished episode.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpisodeSummary {
    /// Sum of all rewards, not discounted.
    pub reward: f32,
    /// In timesteps.
    pub length: u32,
    /// The environment it took place in.
    pub env_idx: usize,
}

impl IterationStats {
    /// Mean reward of the episodes that ended, if any did.
    pub fn mean_episode_reward(&self) -> Option<f64> {
        self.mean_of_episodes(|episode| f64::from(episode.reward))
    }

    /// Mean length of the episodes that ended, if any did.
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
    fn means_are_absent_without_an_ended_episode() {
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
