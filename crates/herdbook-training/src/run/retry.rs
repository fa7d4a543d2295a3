//! Waiting for a store that someone else holds or that went away: hours of training are not thrown away for a minute's
//! lock, nor for an answer that was lost on its way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use herdbook_store::StoreError;

use crate::observer::Observer;

/// How long an act at the end of a training waits for the store, beyond the store's own lock timeout.
const RETRY_LIMIT: Duration = Duration::from_secs(600);
/// Between two tries of a store that cannot be reached: that is known at once.
const PAUSE: Duration = Duration::from_secs(2);

/// Tries an act again while the store is busy or away, until patience ends or the user cancels. A try that got no answer
/// may have happened: the act is one that then answers as that try would have.
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
                    "the store `{store}` is locked by another process (waited {waited_s} s): trying again"
                ));
            }
            Err(error)
                if error.is_about_connection()
                    && began.elapsed() < RETRY_LIMIT
                    && !cancelled.load(Ordering::Relaxed) =>
            {
                observer.notice(&format!("{error}: trying again"));
                std::thread::sleep(PAUSE);
            }
            outcome => return outcome,
        }
    }
}
