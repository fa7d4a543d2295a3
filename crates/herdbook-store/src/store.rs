//! An opened store: shared by threads, it looks things up; sessions act on it.

use std::sync::Arc;
use std::time::Duration;

use herdbook_domain::{RunId, SchemaState};

use crate::artifacts::disk::{Disk, LocalDisk};
use crate::artifacts::local::LocalArtifacts;
use crate::artifacts::place::ArtifactPlace;
use crate::artifacts::streams::ArtifactStore;
use crate::engine;
use crate::engine::backend::{Backend, Scope, View};
use crate::engine::db::Conn;
use crate::engine::opening::{Connected, OpenOptions, Opened, PutBack, SecondChampion};
use crate::error::StoreError;
use crate::location::Location;

/// The records of runs, models and events. Cheap to clone: clones share the connections.
///
/// Look-ups run on a bounded pool of connections, each on one consistent view. Changes are made by a [`Session`](crate::Session).
///
/// ```
/// use std::time::Duration;
///
/// use herdbook_domain::{Actor, Channel};
/// use herdbook_store::{Location, Missing, OpenOptions, Store, VersionQuery};
///
/// let folder = tempfile::tempdir()?;
/// let location = Location::resolve(None, folder.path())?;
/// let options = OpenOptions { missing: Missing::Create, busy_timeout: Duration::from_secs(5) };
/// let store = Store::open(location, &options)?;
/// assert!(store.versions(&VersionQuery::default())?.records.is_empty());
///
/// let session = store.session(Actor::parse("ada")?, Channel::Cli);
/// assert_eq!(session.actor().as_str(), "ada");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Store {
    shared: Arc<Shared>,
    /// Where artifacts of this machine are written.
    disk: Arc<dyn Disk>,
}

#[derive(Debug)]
struct Shared {
    backend: Box<dyn Backend>,
    location: Location,
    opened: Opened,
    put_back: PutBack,
    busy_timeout: Duration,
}

impl Store {
    /// Opens the database at a location.
    ///
    /// # Errors
    /// [`StoreError::NoStore`], [`StoreError::NotADatabase`], [`StoreError::Schema`], [`StoreError::Busy`] …;
    /// [`StoreError::UnsupportedUri`] where the location is a server's.
    pub fn open(location: Location, options: &OpenOptions) -> Result<Self, StoreError> {
        Self::open_with(location, options, SecondChampion::Refuse)
    }

    /// As [`Store::open`], for the doctor: opens a store in which a model has two champions too, without the index that
    /// would forbid it.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_for_doctor(location: Location, options: &OpenOptions) -> Result<Self, StoreError> {
        Self::open_with(location, options, SecondChampion::Tolerate)
    }

    fn open_with(
        location: Location,
        options: &OpenOptions,
        second_champion: SecondChampion,
    ) -> Result<Self, StoreError> {
        let connected = engine::connect(&location, options, second_champion)
            .map_err(|error| error.at(&location.name(), options.busy_timeout))?;
        Ok(Self::over(connected, location, options))
    }

    /// A store over a backend that is ready.
    pub fn over(connected: Connected, location: Location, options: &OpenOptions) -> Self {
        let Connected { backend, opened, put_back } = connected;
        let busy_timeout = options.busy_timeout;
        let shared = Arc::new(Shared { backend, location, opened, put_back, busy_timeout });
        Self { shared, disk: Arc::new(LocalDisk) }
    }

    /// The same store, its artifacts written through another disk: tests simulate a power loss there.
    #[must_use]
    pub fn on_disk(&self, disk: Arc<dyn Disk>) -> Self {
        Self { shared: Arc::clone(&self.shared), disk }
    }

    /// Where the records are.
    pub fn location(&self) -> &Location {
        &self.shared.location
    }

    /// What opening did to the database.
    pub fn opened(&self) -> Opened {
        self.shared.opened
    }

    /// Tables and indexes of ours that were missing or altered at opening, and what became of them.
    pub(crate) fn put_back(&self) -> &[(&'static str, SchemaState)] {
        &self.shared.put_back
    }

    /// What keeps the records.
    pub fn backend(&self) -> &dyn Backend {
        &*self.shared.backend
    }

    /// Runs a look-up on one consistent view of the records.
    ///
    /// # Errors
    /// Those of the look-up; [`StoreError::NoFreeConnection`] where all connections stay in use.
    pub fn read<T>(
        &self,
        look_up: impl FnMut(&Conn) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.read_in(Scope::Everything(View::Completed), look_up)
    }

    /// As [`Store::read`], for the doctor: tags that disagree with the history are shown as they are.
    pub(crate) fn read_as_it_stands<T>(
        &self,
        look_up: impl FnMut(&Conn) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.read_in(Scope::Everything(View::AsItStands), look_up)
    }

    /// As [`Store::read`], of the records of one run.
    pub(crate) fn read_run<T>(
        &self,
        run_id: &RunId,
        look_up: impl FnMut(&Conn) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.read_in(Scope::Run(run_id), look_up)
    }

    /// As [`Store::read`], of the records of a scope.
    pub(crate) fn read_in<T>(
        &self,
        scope: Scope<'_>,
        mut look_up: impl FnMut(&Conn) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut found = None;
        self.backend()
            .read(scope, &mut |conn| {
                found = Some(look_up(conn)?);
                Ok(())
            })
            .map_err(|error| self.named(error))?;
        Ok(found.expect("a look-up without an error has an answer"))
    }

    /// Names the store in an error of its engine.
    pub(crate) fn named(&self, error: StoreError) -> StoreError {
        error.at(&self.location().name(), self.shared.busy_timeout)
    }

    /// The artifacts below a location in the records. `owner` names the run or experiment in an error.
    pub(crate) fn artifacts_at(
        &self,
        owner: &str,
        location: &str,
    ) -> Result<Box<dyn ArtifactStore>, StoreError> {
        Ok(match self.backend().artifacts_at(owner, location)? {
            ArtifactPlace::Folder(folder) => {
                Box::new(LocalArtifacts::new(folder, Arc::clone(&self.disk)))
            }
            ArtifactPlace::Elsewhere(artifacts) => artifacts,
        })
    }
}
