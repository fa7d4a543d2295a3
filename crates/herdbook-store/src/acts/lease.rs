//! The lease of a run: the regular sign that its training process is alive.

use herdbook_domain::RunId;

use crate::error::StoreError;
use crate::session::Session;
use crate::tables::lease::{self, Lease};
use crate::tables::run;

impl Session {
    /// Renews the lease of a run that this process trains. Does nothing if the run has ended, or if another process has
    /// resumed it.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`].
    pub fn refresh_lease(&self, run_id: &RunId) -> Result<(), StoreError> {
        let own = Lease::of_this_process();
        self.write_on_run(run_id, |act| {
            match run::require_running(act.tx, run_id) {
                Err(StoreError::RunNotRunning { .. }) => return Ok(()),
                outcome => outcome?,
            }
            match lease::of_run(act.tx, run_id)? {
                Some(held) if !held.is_same_process(&own) => Ok(()),
                _ => lease::write(act.tx, run_id, &own),
            }
        })
    }
}
