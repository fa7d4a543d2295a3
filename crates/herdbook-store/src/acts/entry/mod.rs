//! Versions of other programs that enter the life cycle: those that a client of MLflow creates on a run whose tags tell the
//! origin of its model, and those on record to which it gives a stage.

mod adoption;
mod entering;
mod on_record;
mod request;
mod told;

use herdbook_domain::VersionKey;

use crate::acts::files::HashedFiles;
use crate::acts::registration::Registered;
use crate::error::StoreError;
use crate::session::Session;
use crate::tables::unsealed::{self, ServedFolder};
use crate::tables::version;

use entering::enter;
use on_record::enter_on_record;
use request::{Entering, Served};

pub use request::VersionEntry;

impl Session {
    /// Creates a version on a run whose tags tell the origin of its model, and ends the run as FINISHED, in one act. The
    /// version begins in development, its parent turns `old`, and its improvements over the parent are logged.
    ///
    /// Also returns the keys of given tags that were replaced by values that the registration computes.
    ///
    /// # Errors
    /// [`StoreError::NoSuchModel`], [`StoreError::NoSuchRun`]; [`StoreError::RunNotRunning`] if the run was deleted;
    /// [`StoreError::RunNotFinished`] if it failed or was cancelled; [`StoreError::AlreadyRegistered`];
    /// [`StoreError::CannotRegister`] if its tags tell no origin, or name a parent that does not fit;
    /// [`StoreError::Refused`] for a tag that herdbook manages.
    pub fn enter_version(
        &self,
        entry: &VersionEntry,
    ) -> Result<(Registered, Vec<String>), StoreError> {
        let location = self.read(|conn| unsealed::resolved(conn, &entry.row.storage_location))?;
        let source = Some(entry.row.source.clone());
        let folder = ServedFolder { source, location, ..ServedFolder::default() };
        let files = self.hash_served(&folder, Some(&entry.run_id))?;
        let served = Served { files, location: folder.location };
        self.with_hashed_files(HashedFiles::default(), |files| {
            self.write(|act| enter(act, &Entering::Created(entry), &served, files))
        })
    }

    /// Lets a version that another program created enter the life cycle, in development. The tags of its run and its own tags
    /// may tell the origin of its model. A version that has a stage already stays as it is.
    ///
    /// # Errors
    /// As [`Session::enter_version`]; [`StoreError::NoSuchVersion`], [`StoreError::DeletedVersion`].
    pub fn enter_existing(&self, key: &VersionKey) -> Result<(), StoreError> {
        let (folder, run_id) = self.read(|conn| {
            Ok((unsealed::served_folder(conn, key)?, version::load(conn, key)?.run_id))
        })?;
        let files = self.hash_served(&folder, run_id.as_ref())?;
        let served = Served { files, location: folder.location };
        self.with_hashed_files(HashedFiles::default(), |files| {
            self.write(|act| enter_on_record(act, key, &served, files))
        })
    }
}
