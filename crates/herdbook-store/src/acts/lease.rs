//! Signs of life of a training.

use herdbook_domain::RunId;

use crate::error::StoreError;
use crate::session::Session;
use crate::tables::lease::{self, Lease};
use crate::tables::run;

impl Session {
    /// Says that the training of a run goes on.
    pub fn refresh_lease(&self, run_id: &RunId) -> Result<(), StoreError> {
        let own = Lease::of_this_process();
        self.write_on_run(run_id, |act| {
            // A run that was ended meanwhile gets no new lease, nor one that another process took up.
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
