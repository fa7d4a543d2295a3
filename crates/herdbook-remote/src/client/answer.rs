//! The meaning of a server's errors for the caller.

use herdbook_store::StoreError;

/// Questions about an error of a server.
pub(crate) trait ServerAnswer {
    /// Whether the server says that the record does not exist.
    fn is_absence(&self) -> bool;

    /// Whether the server says that the record exists already.
    fn is_presence(&self) -> bool;

    /// Whether the server refuses the content of the call.
    fn is_invalid(&self) -> bool;

    /// Whether the call may have succeeded nevertheless: no answer came, or the answer is not MLflow's.
    fn leaves_outcome_open(&self) -> bool;

    /// Whether the user lacks permission.
    fn is_forbidden(&self) -> bool;
}

impl ServerAnswer for StoreError {
    fn is_absence(&self) -> bool {
        matches!(self, Self::ServerRefused { code, .. }
            if code == "RESOURCE_DOES_NOT_EXIST" || code == "NOT_FOUND")
    }

    fn is_presence(&self) -> bool {
        matches!(self, Self::ServerRefused { code, .. } if code == "RESOURCE_ALREADY_EXISTS")
    }

    fn is_invalid(&self) -> bool {
        matches!(self, Self::ServerRefused { status: 400, .. })
    }

    fn leaves_outcome_open(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::NotMlflow { .. } => true,
            Self::ServerRefused { status, .. } => *status >= 500,
            _ => false,
        }
    }

    fn is_forbidden(&self) -> bool {
        matches!(self, Self::ServerRefused { status: 401 | 403, .. })
    }
}

/// Ignores the error that the record was deleted through MLflow.
///
/// # Errors
/// All other errors.
pub(crate) fn tolerating_absence(outcome: Result<(), StoreError>) -> Result<(), StoreError> {
    match outcome {
        Err(error) if error.is_absence() => Ok(()),
        Err(StoreError::ServerRefused { message, .. }) if message.contains("'active' state") => {
            Ok(())
        }
        outcome => outcome,
    }
}
