//! A session: someone acts on an opened store, through a channel.

use std::ops::Deref;
use std::path::Path;

use herdbook_domain::{ActContext, Actor, Channel, Event, EventDraft, ModelName, RunId, Timestamp};

use crate::clock::{new_id, now};
use crate::engine::backend::{ActRequest, Effect, Scope, View};
use crate::engine::db::Conn;
use crate::engine::locks::{Lock, hold};
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::event;

/// Acts on a store in someone's name. It looks up everything that its [`Store`] does.
#[derive(Debug, Clone)]
pub struct Session {
    store: Store,
    actor: Actor,
    channel: Channel,
}

impl Store {
    /// Acts on this store in someone's name, through a channel.
    pub fn session(&self, actor: Actor, channel: Channel) -> Session {
        Session { store: self.clone(), actor, channel }
    }
}

impl Deref for Session {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Session {
    /// The store it acts on.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Who acts.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Runs an act in one transaction. It may be run again from the start, where the engine had to take it back.
    ///
    /// This is for crates that write whole records, such as an import; every act of the rulebook has a method of its own.
    ///
    /// # Errors
    /// Those of the act, of which nothing stays then.
    pub fn write<T>(
        &self,
        act: impl FnMut(&Act<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write_or_dry(Effect::Commit, act)
    }

    /// As [`Session::write`]; a dry run decides and writes as the real one would, then takes everything back.
    pub(crate) fn write_or_dry<T>(
        &self,
        effect: Effect,
        act: impl FnMut(&Act<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write_in(Scope::Everything(View::Completed), effect, act)
    }

    /// As [`Session::write`], for an act on one run's own metrics and lease, on which nothing else depends.
    pub(crate) fn write_on_run<T>(
        &self,
        run_id: &RunId,
        act: impl FnMut(&Act<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write_in(Scope::Run(run_id), Effect::Commit, act)
    }

    /// As [`Session::write`], for the doctor: tags that disagree with the history are shown as they are.
    pub(crate) fn write_as_it_stands<T>(
        &self,
        act: impl FnMut(&Act<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write_in(Scope::Everything(View::AsItStands), Effect::Commit, act)
    }

    /// As [`Session::write`], for an act that depends on the records of a scope alone, and may be a dry run.
    pub(crate) fn write_in<T>(
        &self,
        scope: Scope<'_>,
        effect: Effect,
        mut act: impl FnMut(&Act<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut answer = None;
        let mut run = |conn: &Conn| {
            let context =
                ActContext { act_id: new_id(), actor: self.actor.clone(), channel: self.channel };
            let artifact_root = &self.store.location().artifact_root;
            answer = Some(act(&Act { tx: conn, context, artifact_root })?);
            Ok(())
        };
        self.store
            .backend()
            .write(ActRequest { scope, effect, actor: &self.actor }, &mut run)
            .map_err(|error| self.store.named(error))?;
        Ok(answer.expect("an act without an error has an answer"))
    }
}

/// An act that is being carried out: its open transaction, and who does it.
#[derive(Debug)]
pub struct Act<'a> {
    /// The open transaction.
    pub tx: &'a Conn,
    /// Who acts, through which channel, under which act id.
    pub context: ActContext,
    /// The folder below which new experiments keep their artifacts.
    pub artifact_root: &'a Path,
}

impl Act<'_> {
    /// The present time, but never before the last event of these models: a history goes forward even where clocks do
    /// not. From here on nobody else acts on these models, so facts that a decision rests on are read after this.
    ///
    /// # Errors
    /// Those of the database.
    pub fn time_for<'n>(
        &self,
        names: impl IntoIterator<Item = &'n ModelName>,
    ) -> Result<Timestamp, StoreError> {
        let mut names: Vec<&ModelName> = names.into_iter().collect();
        // Always in the same order: two acts never wait for each other.
        names.sort_unstable();
        names.dedup();
        for name in &names {
            hold(self.tx, Lock::Model(name))?;
        }
        names.iter().try_fold(now(), |at, name| Ok(at.max(event::last_time(self.tx, name)?)))
    }

    /// Appends events to the log, in order. Until the act ends nobody else appends, since each event seals the one before.
    ///
    /// # Errors
    /// Those of the database.
    pub fn append(
        &self,
        at: Timestamp,
        drafts: impl IntoIterator<Item = EventDraft>,
    ) -> Result<Vec<Event>, StoreError> {
        hold(self.tx, Lock::Chain)?;
        event::append(self.tx, &self.context, at, drafts)
    }

    /// Lets no other act begin until this one ends, and waits for those that are being carried out.
    ///
    /// # Errors
    /// Those of the database.
    pub fn hold_everything(&self) -> Result<(), StoreError> {
        hold(self.tx, Lock::Everything)
    }
}
