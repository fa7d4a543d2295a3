//! Retries of writes at the end of a training, so that a locked or unreachable store does not cost hours of work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use herdbook_store::StoreError;

use crate::observer::Observer;

/// Retries start within this time; the lock timeout of the store comes on top.
const RETRY_LIMIT: Duration = Duration::from_secs(600);
/// Pause between two attempts on an unreachable store, where an attempt fails at once.
const PAUSE: Duration = Duration::from_secs(2);

/// Repeats `act` while the store is locked or unreachable, until [`RETRY_LIMIT`] has passed or the user cancels.
///
/// An attempt without an answer may have been carried out. `act` must therefore be idempotent: repeated, it returns what
/// the first attempt would have returned.
pub(crate) fn retry_while_unavailable<T>(
    observer: &mut dyn Observer,
    cancelled: &AtomicBool,
    mut act: impl FnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let began = Instant::now();
    loop {
        match act() {
            Err(StoreError::Busy { store, waited_s })
                if began.elapsed() < RETRY_LIMIT && !cancelled.load(Ordering::Relaxed) =>
            {
                observer.notice(&format!(
                    "the store `{store}` is locked by another process (waited {waited_s} s): retrying"
                ));
            }
            Err(error)
                if (error.is_about_connection()
                    || matches!(error, StoreError::StoreBusy { .. }))
                    && began.elapsed() < RETRY_LIMIT
                    && !cancelled.load(Ordering::Relaxed) =>
            {
                observer.notice(&format!("{error}: retrying"));
                std::thread::sleep(PAUSE);
            }
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::tests::Notices;

    fn busy() -> StoreError {
        StoreError::Busy { store: "mlflow.db".to_owned(), waited_s: 1 }
    }

    /// Calls an act that fails `n_failures` times with `error`; returns the result, the number of calls and the notices.
    fn retried(
        n_failures: usize,
        error: fn() -> StoreError,
        cancelled: &AtomicBool,
    ) -> (Result<&'static str, StoreError>, usize, Vec<String>) {
        let (mut n_calls, mut notices) = (0, Notices::default());
        let result = retry_while_unavailable(&mut notices, cancelled, || {
            n_calls += 1;
            if n_calls > n_failures { Ok("done") } else { Err(error()) }
        });
        (result, n_calls, notices.0)
    }

    #[test]
    fn locked_store_is_retried_and_each_retry_is_reported() {
        let (result, n_calls, notices) = retried(2, busy, &AtomicBool::new(false));
        assert_eq!((result.unwrap(), n_calls, notices.len()), ("done", 3, 2));
        assert!(notices[0].contains("locked by another process"), "{notices:?}");
    }

    #[test]
    fn other_errors_are_returned_at_once() {
        let full = || StoreError::DiskFull { store: "mlflow.db".to_owned() };
        let (result, n_calls, notices) = retried(2, full, &AtomicBool::new(false));
        assert!(matches!(result, Err(StoreError::DiskFull { .. })));
        assert_eq!((n_calls, notices.len()), (1, 0));
    }

    #[test]
    fn cancelled_training_does_not_wait_for_the_store() {
        let (result, n_calls, _) = retried(2, busy, &AtomicBool::new(true));
        assert!(matches!(result, Err(StoreError::Busy { .. })));
        assert_eq!(n_calls, 1);
    }
}
