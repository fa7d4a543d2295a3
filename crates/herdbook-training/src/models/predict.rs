//! Prediction of a registered model: its action after the newest closed bar.

use herdbook_domain::{Timestamp, Window};
use herdbook_market::{Account, CostModel, Position};

use crate::environment::market_data::Tape;
use crate::environment::observation::{OBS_LEN, write_observation};
use crate::error::TrainingError;
use crate::models::holding::Holding;
use crate::models::registered_model::RegisteredModel;

/// Maximum ages in milliseconds; `None` allows any age.
#[derive(Debug, Clone, Copy, Default)]
pub struct AgeLimits {
    /// Maximum time since the end of the newest closed bar.
    pub bar_ms: Option<i64>,
    /// Maximum time since the model was registered.
    pub model_ms: Option<i64>,
}

/// Output of a model after a bar, for an account with a position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// The most likely position.
    pub action: Position,
    /// Probability of each position, in the order of [`Position::ALL`].
    pub probabilities: [f32; 3],
    /// The bar, which is closed.
    pub bar: Window,
    /// The position that the account holds at the close of the bar.
    pub from: Position,
    /// Open of the first bar of that position; `None` when flat.
    pub since: Option<Timestamp>,
    /// The observation, the input of the networks.
    pub observation: [f32; OBS_LEN],
}

impl Prediction {
    /// Computes the position of a model after the newest bar that is closed at `now`, for an account with the position
    /// `holding`. The model observes its account: the position, its unrealised return and its age.
    ///
    /// # Errors
    /// [`TrainingError::NoClosedBar`] if no bar with features has ended at `now`, [`TrainingError::TooOld`] if the bar or
    /// the model is older than its limit, [`TrainingError::AgeUnknown`] if it has a limit and is from the future,
    /// [`TrainingError::HoldingOutside`] or [`TrainingError::HoldingLost`] if the position is not possible,
    /// [`TrainingError::Market`] if there are too few bars.
    pub fn after_newest_bar(
        model: &RegisteredModel,
        tape: &Tape,
        now: Timestamp,
        limits: AgeLimits,
        holding: Holding,
    ) -> Result<Self, TrainingError> {
        let bars = tape.bars_with_features(1)?;
        let closed = bars.rev().find(|idx| tape.window_of(*idx..idx + 1).end <= now);
        let bar_idx = closed.ok_or(TrainingError::NoClosedBar { now })?;
        limits.check_bar(tape.window_of(bar_idx..bar_idx + 1).end, now)?;
        limits.check_model(model, now)?;
        let costs = CostModel::from_bps(model.env.cost_bps)?;
        let (account, since) = holding.account(tape, bar_idx, costs)?;
        Ok(Self::after_bar(model, tape, bar_idx, (&account, since)))
    }

    /// The output of a model after the bar `bar_idx`, which must have features.
    pub(crate) fn after_bar(
        model: &RegisteredModel,
        tape: &Tape,
        bar_idx: usize,
        (account, since): (&Account, Option<Timestamp>),
    ) -> Self {
        let mut obs = [0.0; OBS_LEN];
        write_observation(tape, bar_idx, account, &mut obs);
        let policy = &model.model.policy;
        let mut scratch = policy.scratch();
        let action = policy.act_deterministic(&obs, &mut scratch);
        let mut probabilities = [0.0; 3];
        probabilities.copy_from_slice(policy.probabilities(&obs, &mut scratch));
        Self {
            action: Position::from_action(action).expect("a policy has one output per position"),
            probabilities,
            bar: tape.window_of(bar_idx..bar_idx + 1),
            from: account.position(),
            since,
            observation: obs,
        }
    }
}

impl AgeLimits {
    /// Checks the age of the newest closed bar at `now` by its end.
    pub(crate) fn check_bar(self, end: Timestamp, now: Timestamp) -> Result<(), TrainingError> {
        check_age(("newest closed bar", "--max-bar-age"), end, now, self.bar_ms)
    }

    /// Checks the time since the registration of a model.
    pub(crate) fn check_model(
        self,
        model: &RegisteredModel,
        now: Timestamp,
    ) -> Result<(), TrainingError> {
        check_age(("model", "--max-age"), model.version.created_at, now, self.model_ms)
    }
}

fn check_age(
    (what, flag): (&'static str, &'static str),
    since: Timestamp,
    now: Timestamp,
    allowed_ms: Option<i64>,
) -> Result<(), TrainingError> {
    let Some(allowed_ms) = allowed_ms else { return Ok(()) };
    let age_ms = now.millis().saturating_sub(since.millis());
    if age_ms < 0 {
        return Err(TrainingError::AgeUnknown { what, flag, since, now, allowed_ms });
    }
    if age_ms > allowed_ms {
        return Err(TrainingError::TooOld { what, flag, since, age_ms, allowed_ms });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_from_the_future_passes_no_limit() {
        let check = |since: i64, allowed| {
            let (since, now) = (Timestamp::from_millis(since), Timestamp::from_millis(1_000_000));
            check_age(("model", "--max-age"), since, now, allowed)
        };
        assert!(check(1_000_000, Some(0)).is_ok());
        assert!(check(1_000_001, None).is_ok());
        assert!(matches!(check(999_999, Some(0)), Err(TrainingError::TooOld { .. })));
        for since in [1_000_001, i64::MAX] {
            let error = check(since, Some(i64::MAX)).unwrap_err();
            assert!(matches!(error, TrainingError::AgeUnknown { .. }), "{error}");
        }
    }
}
