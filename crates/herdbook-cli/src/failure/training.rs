//! Code and hint of every error of a training, an evaluation or a prediction.

use herdbook_training::TrainingError;

use super::store::store_code;
use super::{Code, Failure};
use crate::shell;

impl From<TrainingError> for Failure {
    fn from(error: TrainingError) -> Self {
        if let TrainingError::Store(error) = error {
            return error.into();
        }
        let mut failure = Self::new(training_code(&error), error.to_string());
        if let TrainingError::Market(error) = &error {
            failure.flags_to_try = error.flags_to_try();
        }
        match training_hint(&error) {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }
}

fn training_code(error: &TrainingError) -> Code {
    match error {
        TrainingError::Store(error) => store_code(error),
        TrainingError::NoParent { .. }
        | TrainingError::NoChampion { .. }
        | TrainingError::NotRegistered { .. }
        | TrainingError::NoCheckpoint { .. }
        | TrainingError::NoNewBars { .. }
        | TrainingError::NoTimeframe { .. }
        | TrainingError::Unusable { .. } => Code::NotFound,
        TrainingError::OtherInstrument { .. }
        | TrainingError::NamedOtherwise { .. }
        | TrainingError::ContradictingBars { .. }
        | TrainingError::AlteredModel { .. }
        | TrainingError::ForeignEnvironment { .. }
        | TrainingError::LostFile { .. }
        | TrainingError::CannotRegister { .. }
        | TrainingError::AlreadyImported { .. } => Code::Conflict,
        TrainingError::TooOld { .. } | TrainingError::AgeUnknown { .. } => Code::TooOld,
        TrainingError::Contaminated { .. } | TrainingError::KnownBars { .. } => Code::Contaminated,
        TrainingError::Cancelled { .. } => Code::Cancelled,
        TrainingError::Market(_)
        | TrainingError::Ppo(_)
        | TrainingError::Name(_)
        | TrainingError::NoTimesteps
        | TrainingError::UnnamedInstrument { .. }
        | TrainingError::ConfigFile { .. }
        | TrainingError::NetworkMismatch { .. }
        | TrainingError::LearningRateConflict
        | TrainingError::NoClosedBar { .. }
        | TrainingError::HoldingOutside { .. }
        | TrainingError::HoldingLost { .. }
        | TrainingError::ParentMismatch { .. }
        | TrainingError::TimeframeMismatch { .. }
        | TrainingError::NoParentNamed { .. }
        | TrainingError::ResumeMismatch { .. } => Code::InvalidInput,
    }
}

fn training_hint(error: &TrainingError) -> Option<String> {
    match error {
        TrainingError::NoChampion { .. } => {
            Some("`herdbook promote … --target-stage champion` makes a version the champion".into())
        }
        TrainingError::NamedOtherwise { named, .. } => Some(format!(
            "`--symbol {}` names it as the file does; a column that does not name the instrument is left out with \
             `--columns`",
            shell::quoted(named)
        )),
        TrainingError::OtherInstrument { symbol, .. }
        | TrainingError::UnnamedInstrument { symbol, .. } => Some(format!(
            "if the bars are of {symbol}, say so with `--symbol {symbol}`; otherwise name their instrument with `--symbol`"
        )),
        TrainingError::ContradictingBars { .. } => Some(
            "give the bars of the instrument, or name the one that they are of with `--symbol`".into(),
        ),
        TrainingError::NoNewBars { from, .. } => Some(format!(
            "give a file that goes on after {from}; `herdbook backtest` shows a result without recording it"
        )),
        TrainingError::KnownBars { .. } => {
            Some("give bars that are later than those; `herdbook backtest` shows a result without recording it".into())
        }
        TrainingError::NotRegistered { run_id } => Some(format!(
            "`herdbook register {run_id}` registers the parent, if it has a model file"
        )),
        TrainingError::Contaminated { .. } => Some(
            "start the test window later with `--test-from`, or train a model that is marked as \
             contaminated with `--allow-contaminated`"
                .into(),
        ),
        TrainingError::Unusable { why, .. } => why.way_out(),
        TrainingError::HoldingOutside { .. } => Some(
            "give a time in the bar at whose open the position was entered with `--position-since`; bars that go \
             further back let it be earlier"
                .into(),
        ),
        TrainingError::HoldingLost { .. } => {
            Some("`--position flat` predicts for an account without a position".into())
        }
        _ => None,
    }
}
