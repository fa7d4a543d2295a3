//! The store: one database, and the two ways through which every act reaches it.

use std::path::Path;
use std::time::Duration;

use herdbook_domain::{ActContext, Actor, Channel, ModelName, RunId, SchemaState, Timestamp};

use crate::db::Conn;
use crate::disk::{Disk, LocalDisk};
use crate::engine::{self, Engine, Lock};
use crate::remote::{Remote, Scope, View};
use crate::schema::{PutBack, SecondChampion};
use crate::{Location, StoreError, event};

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// What to do where there is none.
    pub missing: Missing,
    /// How long to wait for another process's write lock.
    pub busy_timeout: Duration,
    /// Who acts.
    pub actor: Actor,
    /// Through which door.
    pub channel: Channel,
}

/// What to do where there is no store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Make one.
    Create,
    /// Say so.
    Refuse,
}

/// What opening a store did to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// It was there and complete.
    AsItWas,
    /// It was made.
    Created,
    /// MLflow's tables were there; our tables or indexes were added or put back.
    Completed,
    /// It may only be read.
    ReadOnly,
}

/// The records of runs, models and events. May be shared by threads: each looks up on a connection of its own, and acts
/// that wait for one another are committed together.
#[derive(Debug)]
pub struct Store {
    engine: Engine,
    location: Location,
    options: OpenOptions,
    opened: Opened,
    /// Tables and indexes of ours that were missing or altered, and what opening made of that.
    put_back: PutBack,
    /// Where artifacts are written.
    disk: Box<dyn Disk>,
}

impl Store {
    /// Opens the store at a location.
    ///
    /// # Errors
    /// [`StoreError::NoStore`], [`StoreError::NotADatabase`], [`StoreError::Schema`], [`StoreError::Busy`] …
    pub fn open(location: Location, options: OpenOptions) -> Result<Self, StoreError> {
        Self::open_with(location, options, SecondChampion::Refuse)
    }

    /// As [`Store::open`], for the doctor: a store in which a model has two champions is opened too, without the
    /// index that could not stand.
    pub fn open_for_doctor(location: Location, options: OpenOptions) -> Result<Self, StoreError> {
        Self::open_with(location, options, SecondChampion::Tolerate)
    }

    fn open_with(
        location: Location,
        options: OpenOptions,
        second_champion: SecondChampion,
    ) -> Result<Self, StoreError> {
        let connected = engine::connect(&location, &options, second_champion)
            .map_err(|error| error.at(&location, options.busy_timeout))?;
        let engine::Connected { engine, opened, put_back } = connected;
        let disk = Box::new(LocalDisk);
        Ok(Self { engine, location, options, opened, put_back, disk })
    }

    /// The same store, its artifacts written through another disk: tests take the power away there.
    #[must_use]
    pub fn on_disk(self, disk: Box<dyn Disk>) -> Self {
        Self { disk, ..self }
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// Where the records are.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// Who acts.
    pub(crate) fn actor(&self) -> &Actor {
        &self.options.actor
    }

    /// The server, where the records are one's.
    pub(crate) fn remote(&self) -> Option<&Remote> {
        match &self.engine {
            Engine::Remote(remote) => Some(remote),
            Engine::Sqlite(_) | Engine::Postgres(_) => None,
        }
    }

    /// What opening did to the database.
    pub fn opened(&self) -> Opened {
        self.opened
    }

    /// What opening made of tables and indexes of ours that were missing or altered.
    pub(crate) fn put_back(&self) -> &[(&'static str, SchemaState)] {
        &self.put_back
    }

    /// Runs an act in one transaction. It may be run again from the start, where the engine had to take it back.
    pub(crate) fn write<T>(
        &self,
        act: impl FnMut(&Act<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write_or_dry(Effect::Commit, act)
    }

    /// As [`Store::write`]; a dry run decides and writes as the real one would, then takes everything back.
    pub(crate) fn write_or_dry<T>(
        &self,
        effect: Effect,
        act: impl FnMut(&Act<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write_in(Scope::Everything(View::Completed), effect, act)
    }

    /// As [`Store::write`], for an act on one run's own metrics and lease, on which nothing else depends.
    pub(crate) fn write_on_run<T>(
        &self,
        run_id: &RunId,
        act: impl FnMut(&Act<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write_in(Scope::Run(run_id.as_str()), Effect::Commit, act)
    }

    /// As [`Store::write`], for the doctor: on a server, tags that do not follow the journal are seen as they are.
    pub(crate) fn write_as_it_stands<T>(
        &self,
        act: impl FnMut(&Act<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write_in(Scope::Everything(View::AsItStands), Effect::Commit, act)
    }

    /// The scope tells a server what to send; a database has all at hand.
    fn write_in<T>(
        &self,
        scope: Scope<'_>,
        effect: Effect,
        mut act: impl FnMut(&Act<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let act = |conn: &Conn| {
            let context = ActContext {
                act_id: new_id(),
                actor: self.options.actor.clone(),
                channel: self.options.channel,
            };
            act(&Act {
                tx: conn,
                context,
                artifact_root: &self.location.artifact_root,
                remote: self.remote(),
            })
        };
        let outcome = match &self.engine {
            Engine::Sqlite(engine) => engine.write(effect, act),
            Engine::Postgres(engine) => engine.write(effect, act),
            Engine::Remote(remote) => remote.write(effect, scope, act),
        };
        outcome.map_err(|error| self.named(error))
    }

    /// Runs a look-up on one consistent view of the records.
    pub(crate) fn read<T>(
        &self,
        look_up: impl FnMut(&Conn) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.read_in(View::Completed, look_up)
    }

    /// As [`Store::read`], for the doctor: on a server, tags that do not follow the journal are seen as they are.
    pub(crate) fn read_as_it_stands<T>(
        &self,
        look_up: impl FnMut(&Conn) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.read_in(View::AsItStands, look_up)
    }

    fn read_in<T>(
        &self,
        view: View,
        look_up: impl FnMut(&Conn) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let found = match &self.engine {
            Engine::Sqlite(engine) => engine.read(look_up),
            Engine::Postgres(engine) => engine.read(look_up),
            Engine::Remote(remote) => remote.read(view, look_up),
        };
        found.map_err(|error| self.named(error))
    }

    fn named(&self, error: StoreError) -> StoreError {
        error.at(&self.location, self.options.busy_timeout)
    }
}

/// Whether an act's changes stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// They stay.
    Commit,
    /// They are taken back: only the answer was wanted.
    DryRun,
}

/// One act under way: its open transaction and who does it.
pub(crate) struct Act<'a> {
    pub(crate) tx: &'a Conn,
    pub(crate) context: ActContext,
    pub(crate) artifact_root: &'a Path,
    /// The server, where the records are one's.
    pub(crate) remote: Option<&'a Remote>,
}

impl Act<'_> {
    /// Now, but never before the last event of these models: a history goes forward even where clocks do not. From here
    /// on nobody else acts on them, so facts that a decision rests on are read after this.
    pub(crate) fn time_for<'n>(
        &self,
        names: impl IntoIterator<Item = &'n ModelName>,
    ) -> Result<Timestamp, StoreError> {
        let mut names: Vec<&ModelName> = names.into_iter().collect();
        // Always in the same order: two acts never wait for each other.
        names.sort_unstable();
        names.dedup();
        for name in &names {
            engine::hold(self.tx, Lock::Model(name))?;
        }
        names.iter().try_fold(now(), |at, name| Ok(at.max(event::last_time(self.tx, name)?)))
    }

    /// Lets no other act append an event until this one ends: each event seals the one before.
    pub(crate) fn hold_the_chain(&self) -> Result<(), StoreError> {
        engine::hold(self.tx, Lock::Chain)
    }

    /// Lets no other act begin until this one ends, and waits for those under way.
    pub(crate) fn hold_everything(&self) -> Result<(), StoreError> {
        engine::hold(self.tx, Lock::Everything)
    }
}

/// An identity that nothing else has: 32 lower-case hexadecimal digits.
pub fn new_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// The wall clock.
pub fn now() -> Timestamp {
    let since_epoch =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}
