//! Evaluations in the history of a version.

use herdbook_domain::{Evaluation, VersionKey};

use crate::acts::files::HashedFiles;
use crate::acts::sealing;
use crate::error::StoreError;
use crate::session::Session;
use crate::tables::version;

impl Session {
    /// Adds an evaluation to the history of a version and returns the id of the event.
    ///
    /// # Errors
    /// [`StoreError::NoSuchModel`], [`StoreError::NoSuchVersion`], [`StoreError::DeletedVersion`].
    pub fn record_evaluation(
        &self,
        key: &VersionKey,
        evaluation: &Evaluation,
    ) -> Result<i64, StoreError> {
        self.with_hashed_files(HashedFiles::default(), |files| {
            self.write(|act| {
                let record = version::load(act.tx, key)?;
                if record.deleted {
                    return Err(StoreError::DeletedVersion { key: key.clone() });
                }
                let at = act.time_for([&key.name])?;
                // The windows of the version decide which bars are new to it.
                let seal = sealing::seal_version(act.tx, key, files, at)?;
                let draft = evaluation.event(key, record.run_id.as_ref());
                let drafts = seal.into_iter().chain([draft]);
                Ok(act.append(at, drafts)?.last().map_or(0, |event| event.id))
            })
        })
    }
}
