//! The observer through which a training reports its progress.

/// Receives notices and progress of a training.
pub trait Observer {
    /// Called with a message for the user, such as a fallback that was taken or rows that were dropped.
    fn notice(&mut self, text: &str);

    /// Called when one of several trainings starts.
    fn stage(&mut self, text: &str);

    /// Called after each training iteration.
    fn progress(&mut self, progress: &Progress);
}

/// Progress of a training after one iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Timesteps trained so far, without those of the parent.
    pub trained: u64,
    /// Timesteps requested.
    pub target: u64,
    /// Mean number of timesteps per second since the training started, evaluations included.
    pub steps_per_second: f64,
    /// Mean sum of rewards of the episodes that ended in the last rollout; `None` if none ended.
    pub mean_episode_reward: Option<f64>,
    /// Mean episode reward of the latest evaluation on the validation window; `None` before the first.
    pub validation_reward: Option<f64>,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Keeps the notices.
    #[derive(Default)]
    pub(crate) struct Notices(pub(crate) Vec<String>);

    impl Observer for Notices {
        fn notice(&mut self, text: &str) {
            self.0.push(text.to_owned());
        }

        fn stage(&mut self, _text: &str) {}

        fn progress(&mut self, _progress: &Progress) {}
    }
}
