//! The metrics that describe the course of a training.

use herdbook_ppo::IterationStats;

/// The metrics `training/*` of one iteration.
pub(crate) fn training_metrics(
    stats: &IterationStats,
    steps_per_second: f64,
) -> Vec<(&'static str, f64)> {
    let mut metrics = vec![
        ("training/loss", stats.loss),
        ("training/policy_loss", stats.policy_loss),
        ("training/value_loss", stats.value_loss),
        ("training/entropy", stats.entropy),
        ("training/approx_kl", stats.approx_kl),
        ("training/clip_fraction", stats.clip_fraction),
        ("training/learning_rate", stats.learning_rate),
        ("training/mean_step_reward", stats.mean_step_reward),
        ("training/steps_per_second", steps_per_second),
    ];
    let optional = [
        ("training/explained_variance", stats.explained_variance),
        ("training/mean_episode_reward", stats.mean_episode_reward()),
        ("training/mean_episode_length", stats.mean_episode_length()),
    ];
    metrics.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
    metrics
}
