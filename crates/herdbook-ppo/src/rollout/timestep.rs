//! One recorded timestep.

/// Reward, value and end of one timestep of one environment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Timestep {
    pub(crate) reward: f32,
    /// The critic's estimate for the observation before the step.
    pub(crate) value: f32,
    pub(crate) end: StepEnd,
}

/// Whether and how the episode ended with this timestep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum StepEnd {
    Running,
    Terminated,
    /// Cut off by a limit. `final_value` is the value of the episode's last observation: the return
    /// that a longer episode could still have earned.
    Truncated {
        final_value: f32,
    },
}
