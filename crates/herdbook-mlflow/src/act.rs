//! Acts: transactions that can be refused with MLflow's codes.

use herdbook_domain::RunId;
use herdbook_store::{Act, Session, StoreError};

use crate::error::MlflowError;

/// Runs an act in one transaction. If it is refused, everything is rolled back.
///
/// # Errors
/// Those of the act and of the store.
pub(crate) fn write<T>(
    session: &Session,
    act: impl FnMut(&Act<'_>) -> Result<T, MlflowError>,
) -> Result<T, MlflowError> {
    carry_out(act, |act| session.write(act))
}

/// As [`write`], for an act that reads and writes the records of one run only, and appends no event.
///
/// # Errors
/// Those of the act and of the store.
pub(crate) fn write_on_run<T>(
    session: &Session,
    run_id: &RunId,
    act: impl FnMut(&Act<'_>) -> Result<T, MlflowError>,
) -> Result<T, MlflowError> {
    carry_out(act, |act| session.write_on_run(run_id, act))
}

fn carry_out<T>(
    mut act: impl FnMut(&Act<'_>) -> Result<T, MlflowError>,
    write: impl FnOnce(&mut dyn FnMut(&Act<'_>) -> Result<T, StoreError>) -> Result<T, StoreError>,
) -> Result<T, MlflowError> {
    let mut refusal = None;
    let outcome = write(&mut |tx| match act(tx) {
        Ok(answer) => Ok(answer),
        Err(MlflowError::Store(error)) => Err(error),
        Err(refused) => {
            refusal = Some(refused);
            Err(StoreError::RolledBack)
        }
    });
    match (outcome, refusal) {
        (Err(StoreError::RolledBack), Some(refused)) => Err(refused),
        (outcome, _) => Ok(outcome?),
    }
}
