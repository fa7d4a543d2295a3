//! Look-ups that can be refused with MLflow's codes.

use herdbook_store::engine::db::Conn;
use herdbook_store::{Store, StoreError};

use crate::error::MlflowError;

/// Runs a look-up on one consistent state of the records.
///
/// # Errors
/// Those of the look-up and of the store.
pub(crate) fn read<T>(
    store: &Store,
    mut look_up: impl FnMut(&Conn) -> Result<T, MlflowError>,
) -> Result<T, MlflowError> {
    let mut refusal = None;
    let outcome = store.read(|conn| match look_up(conn) {
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
