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
                if error.is_about_connection()
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
