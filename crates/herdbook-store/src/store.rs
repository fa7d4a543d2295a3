//! An opened store, shared by threads: look-ups. Sessions change it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use herdbook_domain::{AheadOfClock, RunId, SchemaState, Timestamp};

use crate::artifacts::disk::{Disk, LocalDisk};
use crate::artifacts::local::LocalArtifacts;
use crate::artifacts::place::{ArtifactPlace, proxied_folder};
use crate::artifacts::streams::ArtifactStore;
use crate::clock::now;
use crate::engine;
use crate::engine::backend::{Backend, Scope, View};
use crate::engine::db::Conn;
use crate::engine::opening::{Connected, OpenOptions, Opened, PutBack, SecondChampion};
use crate::engine::place::state::PlaceState;
use crate::error::StoreError;
use crate::guarded_artifacts::GuardedArtifacts;
use crate::heads::watch::Watch;
use crate::history_change::HistoryChange;
use crate::location::Location;

/// The records of runs, models and events. Cloning it is cheap: clones share the connections.
///
/// Each look-up runs on a connection of a bounded pool and sees one consistent state. A
/// [`Session`](crate::Session) changes the records.
///
/// ```
/// use herdbook_domain::{Actor, Channel};
/// use herdbook_store::{Location, Missing, OpenOptions, Store, VersionQuery};
///
/// let folder = tempfile::tempdir()?;
/// let location = Location::resolve(None, folder.path())?;
/// let options = OpenOptions { missing: Missing::Create, ..OpenOptions::default() };
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
    /// Writes the artifacts that are kept on this machine.
    disk: Arc<dyn Disk>,
}

#[derive(Debug)]
struct Shared {
    backend: Box<dyn Backend>,
    location: Location,
    opened: Opened,
    put_back: PutBack,
    busy_timeout: Duration,
    artifacts_destination: Option<PathBuf>,
    place: PlaceState,
    watch: Watch,
    /// The latest time, in milliseconds, of the events that sessions on this store appended.
    newest_event_ms: AtomicI64,
}

impl Store {
    /// Opens the database at a location.
    ///
    /// # Errors
    /// [`StoreError::NoStore`], [`StoreError::NotADatabase`], [`StoreError::Schema`], [`StoreError::TwoChampions`],
    /// [`StoreError::CannotOpen`], [`StoreError::Unreachable`], [`StoreError::Busy`]; [`StoreError::UnsupportedUri`] if
    /// the location is an MLflow server, which the crate `herdbook-remote` opens.
    pub fn open(location: Location, options: &OpenOptions) -> Result<Self, StoreError> {
        Self::open_with(location, options, SecondChampion::Refuse)
    }

    /// As [`Store::open`], for the doctor: also opens a store in which a model has two champions, without the index that
    /// forbids this.
    ///
    /// # Errors
    /// As [`Store::open`], except [`StoreError::TwoChampions`].
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

    /// A store over a connected backend.
    pub fn over(connected: Connected, location: Location, options: &OpenOptions) -> Self {
        let Connected { backend, opened, put_back } = connected;
        let busy_timeout = options.busy_timeout;
        let identity = backend.identity();
        let place = identity.state.clone();
        // A database without a place may lag behind. A server gets its id with its first act.
        let is_known = identity.place.is_some() || !backend.has_our_tables();
        let folder = options.state_folder.as_deref().filter(|_| is_known);
        let watch = Watch::new(folder, &options.notices, location.name(), (identity, opened));
        let newest_event_ms = AtomicI64::new(i64::MIN);
        let shared = Arc::new(Shared {
            backend,
            location,
            opened,
            put_back,
            busy_timeout,
            artifacts_destination: options.artifacts_destination.clone(),
            place,
            watch,
            newest_event_ms,
        });
        Self { shared, disk: Arc::new(LocalDisk) }
    }

    /// The same store, with its artifacts written through another [`Disk`]. Tests simulate a power loss there.
    #[must_use]
    pub fn on_disk(&self, disk: Arc<dyn Disk>) -> Self {
        Self { shared: Arc::clone(&self.shared), disk }
    }

    /// Database and artifact folder of the store.
    pub fn location(&self) -> &Location {
        &self.shared.location
    }

    /// What opening changed in the database.
    pub fn opened(&self) -> Opened {
        self.shared.opened
    }

    /// Whether the store lies where its records say, as found at opening.
    pub fn place(&self) -> &PlaceState {
        &self.shared.place
    }

    /// How the history differs from the one last seen on this machine; `None` if it does not, or if nothing was looked up
    /// yet.
    pub fn history_change(&self) -> Option<HistoryChange> {
        self.shared.watch.change()
    }

    /// The memory of the history's end.
    pub(crate) fn watch(&self) -> &Watch {
        &self.shared.watch
    }

    /// Tables and indexes of herdbook that were missing or altered at opening, and whether each was restored.
    pub(crate) fn put_back(&self) -> &[(&'static str, SchemaState)] {
        &self.shared.put_back
    }

    /// The newest of the events that sessions on this store appended, if it lies in the future of the clock. Dry runs
    /// count too.
    pub fn ahead_of_clock(&self) -> Option<AheadOfClock> {
        let newest = self.shared.newest_event_ms.load(Ordering::Relaxed);
        AheadOfClock::of(Timestamp::from_millis(newest), now())
    }

    /// Notes the time of events that were appended.
    pub(crate) fn note_appended(&self, at: Timestamp) {
        self.shared.newest_event_ms.fetch_max(at.millis(), Ordering::Relaxed);
    }

    /// The backend that keeps the records.
    pub fn backend(&self) -> &dyn Backend {
        &*self.shared.backend
    }

    /// Runs a look-up on one consistent state of the records. It may be run again from the start.
    ///
    /// A look-up must not start another one: it would wait for a second connection while it holds the first.
    ///
    /// # Errors
    /// Those of the look-up; [`StoreError::StoreBusy`] if all connections stay in use for longer than
    /// [`OpenOptions::busy_timeout`].
    pub fn read<T>(
        &self,
        look_up: impl FnMut(&Conn) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.read_in(Scope::Everything(View::Completed), look_up)
    }

    /// As [`Store::read`], for the doctor: tags that contradict the history are not corrected.
    pub(crate) fn read_as_it_stands<T>(
        &self,
        look_up: impl FnMut(&Conn) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.read_in(Scope::Everything(View::AsItStands), look_up)
    }

    /// As [`Store::read`], for a look-up that needs the records of one run only.
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
        let (mut found, mut compared) = (None, None);
        let expectation = self.watch().before_look_up(scope);
        let outcome = self.backend().read(scope, &mut |conn| {
            if let Some(expectation) = &expectation {
                compared = Some(expectation.compare(conn)?);
            }
            found = Some(look_up(conn)?);
            Ok(())
        });
        if let Some(compared) = compared {
            self.watch().after_look_up(compared, self.backend());
        }
        outcome.map_err(|error| self.named(error))?;
        Ok(found.expect("a look-up without an error has a result"))
    }

    /// Adds the store's name to an error of its engine.
    pub(crate) fn named(&self, error: StoreError) -> StoreError {
        error.at(&self.location().name(), self.shared.busy_timeout)
    }

    /// The artifacts at a recorded location. `owner` names the run or experiment in an error.
    ///
    /// # Errors
    /// [`StoreError::ForeignArtifacts`] if they cannot be reached from this machine, [`StoreError::Moved`] if the store was
    /// moved without them.
    pub fn artifacts_at(
        &self,
        owner: &str,
        location: &str,
    ) -> Result<Box<dyn ArtifactStore>, StoreError> {
        let destination = self.shared.artifacts_destination.as_deref();
        let folder = match destination.and_then(|folder| proxied_folder(folder, location)) {
            Some(folder) => folder,
            None => match self.backend().artifacts_at(owner, location)? {
                ArtifactPlace::Folder(folder) => folder,
                ArtifactPlace::Elsewhere(artifacts) => return Ok(artifacts),
            },
        };
        let place = self.place();
        if let PlaceState::Moved { from, to } = place
            && folder.starts_with(from)
            && !folder.exists()
        {
            return Err(StoreError::Moved { from: from.clone(), to: to.clone() });
        }
        let local = LocalArtifacts::new(folder, Arc::clone(&self.disk));
        Ok(match place.refusal() {
            None => Box::new(local),
            Some(_) => Box::new(GuardedArtifacts::new(local, place.clone())),
        })
    }
}
