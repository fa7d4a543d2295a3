//! Refreshes the lease of a run every 15 seconds, which shows that its process is alive.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use herdbook_domain::RunId;
use herdbook_store::{LEASE_REFRESH_MS, Store};

/// Refreshes the lease of a run while `work` runs.
pub(crate) fn during<T>(store: &Store, run_id: &RunId, work: impl FnOnce() -> T) -> T {
    let finished = (Mutex::new(false), Condvar::new());
    std::thread::scope(|scope| {
        scope.spawn(|| refresh_until_finished(store, run_id, &finished));
        let _stop = StopOnDrop(&finished);
        work()
    })
}

/// A thread that refreshes the lease of a run until this value is dropped.
#[derive(Debug)]
pub struct Heartbeat {
    finished: Arc<(Mutex<bool>, Condvar)>,
}

impl Heartbeat {
    /// Starts the thread.
    pub fn start(store: Arc<Store>, run_id: RunId) -> Self {
        let finished = Arc::new((Mutex::new(false), Condvar::new()));
        let seen = Arc::clone(&finished);
        std::thread::spawn(move || refresh_until_finished(&store, &run_id, &seen));
        Self { finished }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        drop(StopOnDrop(&self.finished));
    }
}

/// Stops the thread, also if the work panics.
struct StopOnDrop<'a>(&'a (Mutex<bool>, Condvar));

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }
}

fn refresh_until_finished(
    store: &Store,
    run_id: &RunId,
    (finished, changed): &(Mutex<bool>, Condvar),
) {
    let interval = Duration::from_millis(LEASE_REFRESH_MS.unsigned_abs());
    let mut guard = finished.lock().unwrap_or_else(PoisonError::into_inner);
    while !*guard {
        let (next, waited) =
            changed.wait_timeout(guard, interval).unwrap_or_else(PoisonError::into_inner);
        guard = next;
        if waited.timed_out() && !*guard {
            // Errors are ignored: the next refresh follows in 15 seconds, and the lease expires after eight missed ones.
            let _ = store.refresh_lease(run_id);
        }
    }
}
