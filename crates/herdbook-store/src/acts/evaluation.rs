//! Evaluations in the history of a version.

use herdbook_domain::{Evaluation, VersionKey};

use crate::acts::files::HashedFiles;
use crate::acts::sealing;
use crate::error::StoreError;
use crate::session::Session;
use crate::tables::{evaluation, version};

impl Session {
    /// Adds an evaluation to the history of a version and returns the id of the event. `n_known` is the number of all
    /// evaluations of the register ([`Store::all_evaluations`](crate::store::Store::all_evaluations)) from which its record
    /// was joined.
    ///
    /// # Errors
    /// [`StoreError::NoSuchModel`], [`StoreError::NoSuchVersion`], [`StoreError::DeletedVersion`];
    /// [`StoreError::EvaluatedMeanwhile`] if there are more evaluations now: evaluate again.
    pub fn record_evaluation(
        &self,
        key: &VersionKey,
        new: &Evaluation,
        n_known: usize,
    ) -> Result<i64, StoreError> {
        self.with_hashed_files(HashedFiles::default(), |files| {
            self.write(|act| {
                let record = version::load(act.tx, key)?;
                if record.deleted {
                    return Err(StoreError::DeletedVersion { key: key.clone() });
                }
                let at = act.time_for([&key.name])?;
                if evaluation::all(act.tx)?.len() != n_known {
                    return Err(StoreError::EvaluatedMeanwhile { key: key.clone() });
                }
                // The windows of the version decide which bars are new to it.
                let seal = sealing::seal_version(act.tx, key, files, at)?;
                let draft = new.event(key, record.run_id.as_ref());
                let drafts = seal.into_iter().chain([draft]);
                Ok(act.append(at, drafts)?.last().map_or(0, |event| event.id))
            })
        })
    }
}
