//! Generalized advantage estimation.

use crate::rollout::timestep::{StepEnd, Timestep};

/// The discount factors `gamma` and `gae_lambda`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Discount {
    pub(crate) gamma: f32,
    pub(crate) lambda: f32,
}

/// Generalized advantage estimation (arXiv:1506.02438, equation 16) over consecutive timesteps of one
/// environment, computed from the newest timestep to the oldest. `last_value` is the value of the
/// observation that follows the last timestep. An episode's end stops the sum; a truncated episode
/// bootstraps from its final value.
pub(crate) fn advantages(
    steps: &[Timestep],
    last_value: f32,
    discount: Discount,
    advantages: &mut [f32],
) {
    let (mut next_value, mut carry) = (last_value, 0.0);
    for (step, advantage) in steps.iter().zip(advantages).rev() {
        let (bootstrap, trace) = match step.end {
            StepEnd::Running => (next_value, carry),
            StepEnd::Terminated => (0.0, 0.0),
            StepEnd::Truncated { final_value } => (final_value, 0.0),
        };
        let delta = step.reward + discount.gamma * bootstrap - step.value;
        carry = delta + discount.gamma * discount.lambda * trace;
        *advantage = carry;
        next_value = step.value;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition in doubles: the discounted sum of temporal differences until the episode ends.
    fn naive(steps: &[Timestep], last_value: f32, discount: Discount) -> Vec<f64> {
        let (gamma, lambda) = (f64::from(discount.gamma), f64::from(discount.lambda));
        let delta = |t: usize| {
            let following = steps.get(t + 1).map_or(last_value, |step| step.value);
            let bootstrap = match steps[t].end {
                StepEnd::Running => following,
                StepEnd::Terminated => 0.0,
                StepEnd::Truncated { final_value } => final_value,
            };
            f64::from(steps[t].reward) + gamma * f64::from(bootstrap) - f64::from(steps[t].value)
        };
        let advantage = |t: usize| {
            let mut sum = 0.0;
            for (later, step) in steps.iter().enumerate().skip(t) {
                sum += (gamma * lambda).powi((later - t) as i32) * delta(later);
                if step.end != StepEnd::Running {
                    break;
                }
            }
            sum
        };
        (0..steps.len()).map(advantage).collect()
    }

    fn computed(steps: &[Timestep], last_value: f32, discount: Discount) -> Vec<f32> {
        let mut result = vec![0.0; steps.len()];
        advantages(steps, last_value, discount, &mut result);
        result
    }

    fn any_timestep() -> impl Strategy<Value = Timestep> {
        let end = prop_oneof![
            4 => Just(StepEnd::Running),
            1 => Just(StepEnd::Terminated),
            1 => (-5.0_f32..5.0).prop_map(|final_value| StepEnd::Truncated { final_value }),
        ];
        (-5.0_f32..5.0, -5.0_f32..5.0, end).prop_map(|(reward, value, end)| Timestep {
            reward,
            value,
            end,
        })
    }

    proptest! {
        #[test]
        fn prop_advantages_equal_the_definition(
            steps in prop::collection::vec(any_timestep(), 1..40),
            last_value in -5.0_f32..5.0,
            (gamma, lambda) in (0.0_f32..=1.0, 0.0_f32..=1.0),
        ) {
            let discount = Discount { gamma, lambda };
            let got = computed(&steps, last_value, discount);
            for (got, want) in got.iter().zip(naive(&steps, last_value, discount)) {
                prop_assert!((f64::from(*got) - want).abs() < 1e-3, "{} instead of {}", got, want);
            }
        }
    }

    const ONE_STEP: Timestep = Timestep { reward: 1.0, value: 3.0, end: StepEnd::Running };
    const DISCOUNT: Discount = Discount { gamma: 0.5, lambda: 0.9 };

    #[test]
    fn truncated_episode_bootstraps_from_final_value() {
        let step = Timestep { end: StepEnd::Truncated { final_value: 10.0 }, ..ONE_STEP };
        assert_eq!(computed(&[step], 99.0, DISCOUNT), [1.0 + 0.5 * 10.0 - 3.0]);
    }

    #[test]
    fn terminated_episode_does_not_bootstrap() {
        let step = Timestep { end: StepEnd::Terminated, ..ONE_STEP };
        assert_eq!(computed(&[step], 99.0, DISCOUNT), [1.0 - 3.0]);
    }

    #[test]
    fn unfinished_episode_bootstraps_from_the_value_after_the_rollout() {
        assert_eq!(computed(&[ONE_STEP], 8.0, DISCOUNT), [1.0 + 0.5 * 8.0 - 3.0]);
    }
}
