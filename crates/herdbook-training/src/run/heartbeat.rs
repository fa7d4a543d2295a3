//! Refreshes the lease of a run every 15 seconds, which shows that its process is alive.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use herdbook_domain::RunId;
use herdbook_store::{LEASE_REFRESH_MS, Session};

/// Refreshes the lease of a run while `work` runs.
pub(crate) fn during<T>(store: &Session, run_id: &RunId, work: impl FnOnce() -> T) -> T {
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
    pub fn start(store: Arc<Session>, run_id: RunId) -> Self {
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
    store: &Session,
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

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::time::Instant;

    use herdbook_domain::{Actor, Channel};
    use herdbook_store::{Location, Missing, OpenOptions, Store};

    use super::*;

    #[test]
    fn thread_ends_at_once_when_the_work_returns_or_panics() {
        let folder = tempfile::tempdir().unwrap();
        let options = OpenOptions {
            missing: Missing::Create,
            busy_timeout: Duration::from_secs(1),
            ..OpenOptions::default()
        };
        let store = Store::open(Location::resolve(None, folder.path()).unwrap(), &options).unwrap();
        let store = store.session(Actor::parse("tester").unwrap(), Channel::Cli);
        let run_id = RunId::parse(&"0".repeat(32)).unwrap();
        let began = Instant::now();
        assert_eq!(during(&store, &run_id, || 42), 42);
        let panicking = || during(&store, &run_id, || panic!("the work failed"));
        assert!(catch_unwind(AssertUnwindSafe(panicking)).is_err());
        // A thread that missed the end would wait for its next refresh.
        assert!(began.elapsed().as_millis() < u128::from(LEASE_REFRESH_MS.unsigned_abs()));
    }
}
