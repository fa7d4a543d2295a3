//! Says in the records, every 15 seconds, that a training is alive.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use herdbook_domain::RunId;
use herdbook_store::{LEASE_REFRESH_MS, Session};

/// Keeps the lease of a run alive while `work` goes on.
pub(crate) fn during<T>(store: &Session, run_id: &RunId, work: impl FnOnce() -> T) -> T {
    let finished = (Mutex::new(false), Condvar::new());
    std::thread::scope(|scope| {
        scope.spawn(|| beat(store, run_id, &finished));
        let _stop = StopOnDrop(&finished);
        work()
    })
}

/// A thread that keeps the lease of a run alive until it is dropped.
#[derive(Debug)]
pub struct Heartbeat {
    finished: Arc<(Mutex<bool>, Condvar)>,
}

impl Heartbeat {
    /// Begins.
    pub fn start(store: Arc<Session>, run_id: RunId) -> Self {
        let finished = Arc::new((Mutex::new(false), Condvar::new()));
        let seen = Arc::clone(&finished);
        std::thread::spawn(move || beat(&store, &run_id, &seen));
        Self { finished }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        drop(StopOnDrop(&self.finished));
    }
}

/// Stops the thread also when the work panics.
struct StopOnDrop<'a>(&'a (Mutex<bool>, Condvar));

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }
}

fn beat(store: &Session, run_id: &RunId, (finished, changed): &(Mutex<bool>, Condvar)) {
    let interval = Duration::from_millis(LEASE_REFRESH_MS.unsigned_abs());
    let mut guard = finished.lock().unwrap_or_else(PoisonError::into_inner);
    while !*guard {
        let (next, waited) =
            changed.wait_timeout(guard, interval).unwrap_or_else(PoisonError::into_inner);
        guard = next;
        if waited.timed_out() && !*guard {
            // A store that is busy now is asked again in 15 seconds; the lease outlives eight misses.
            let _ = store.refresh_lease(run_id);
        }
    }
}
