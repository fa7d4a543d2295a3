//! Sessions: acts on an opened store by one actor, through one channel.

use std::cell::RefCell;
use std::fmt;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use herdbook_domain::{ActContext, Actor, Channel, Event, EventDraft, ModelName, RunId, Timestamp};

use crate::act_id::ActId;
use crate::clock::{new_id, now};
use crate::engine::backend::{ActRequest, Effect, Scope, View};
use crate::engine::db::Conn;
use crate::engine::locks::{Lock, hold};
use crate::error::StoreError;
use crate::history_change::HeadOnRecord;
use crate::store::Store;
use crate::tables::event;

/// Acts on a store as one actor. Each act is one transaction, and its events name the actor and the channel.
///
/// A session has all look-ups of its [`Store`]. It is cheap to clone, and threads may share it.
#[derive(Debug, Clone)]
pub struct Session {
    store: Store,
    actor: Actor,
    channel: Channel,
    /// The id of the next act, if the caller chose it.
    act_id: Option<String>,
    guard: Option<Arc<dyn RunTagGuard>>,
}

/// Decides on the tags that clients of a server write to runs or remove from them.
pub trait RunTagGuard: fmt::Debug + Send + Sync {
    /// The tags to write: without protected ones that have their value already.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for a tag that may not be written; those of the database.
    fn tags_to_write(
        &self,
        conn: &Conn,
        run_id: &str,
        given: Vec<(String, String)>,
    ) -> Result<Vec<(String, String)>, StoreError>;

    /// Fails if a tag may not be removed.
    ///
    /// # Errors
    /// [`StoreError::Refused`]; those of the database.
    fn check_removal(&self, conn: &Conn, run_id: &str, key: &str) -> Result<(), StoreError>;
}

impl Store {
    /// A session on this store for an actor and a channel.
    pub fn session(&self, actor: Actor, channel: Channel) -> Session {
        Session { store: self.clone(), actor, channel, act_id: None, guard: None }
    }
}

impl Deref for Session {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Session {
    /// The same session, with a guard of the tags of runs.
    #[must_use]
    pub fn guarded_by(self, guard: Arc<dyn RunTagGuard>) -> Self {
        Self { guard: Some(guard), ..self }
    }

    /// The store of the session.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The actor of the session.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The same session, whose act gets an id that the caller chose.
    pub(crate) fn with_act_id(&self, act_id: &ActId) -> Self {
        Self { act_id: Some(act_id.as_str().to_owned()), ..self.clone() }
    }

    /// Runs an act in one transaction. If the database had to roll it back, for example after a conflict, the act is run
    /// again from the start.
    ///
    /// This is for crates that write whole records, such as an import. Each act of the rulebook has its own method.
    ///
    /// An act must not call look-ups or acts of the store: other writers wait until it ends.
    ///
    /// # Errors
    /// Those of the act, which is then rolled back.
    pub fn write<T>(
        &self,
        act: impl FnMut(&Act<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write_or_dry(Effect::Commit, act)
    }

    /// As [`Session::write`]. A dry run does the same, and then rolls everything back.
    pub(crate) fn write_or_dry<T>(
        &self,
        effect: Effect,
        act: impl FnMut(&Act<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write_in(Scope::Everything(View::Completed), effect, act)
    }

    /// As [`Session::write`], for an act that reads and writes only the records of one run, and appends no event.
    ///
    /// # Errors
    /// Those of the act, which is then rolled back.
    pub fn write_on_run<T>(
        &self,
        run_id: &RunId,
        act: impl FnMut(&Act<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.write_in(Scope::Run(run_id), Effect::Commit, act)
    }

    /// As [`Session::write`], for the doctor: tags that contradict the history are not corrected.
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
        mut run: impl FnMut(&Act<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Some(refusal) = self.store.place().refusal() {
            return Err(refusal);
        }
        let expectation = self.store.watch().before_act(scope);
        self.write_unguarded(scope, effect, |act| {
            if let Some(expectation) = &expectation
                && let Some(change) = expectation.compare(act.tx)?.change
            {
                let store = self.store.location().name();
                return Err(StoreError::HistoryChanged { store, change: Box::new(change) });
            }
            run(act)
        })
    }

    /// Runs an act also if the store was moved, is a copy, or has another history than the one last seen.
    pub(crate) fn write_unguarded<T>(
        &self,
        scope: Scope<'_>,
        effect: Effect,
        mut act: impl FnMut(&Act<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (mut answer, mut head) = (None, None);
        let mut run = |conn: &Conn| {
            let act_id = self.act_id.clone().unwrap_or_else(new_id);
            let context = ActContext { act_id, actor: self.actor.clone(), channel: self.channel };
            let artifact_root = &self.store.location().artifact_root;
            let act_in_progress = Act {
                tx: conn,
                context,
                artifact_root,
                store: &self.store,
                guard: self.guard.as_deref(),
                head: RefCell::default(),
            };
            answer = Some(act(&act_in_progress)?);
            head = act_in_progress.head.into_inner();
            Ok(())
        };
        self.store
            .backend()
            .write(ActRequest { scope, effect, actor: &self.actor }, &mut run)
            .map_err(|error| self.store.named(error))?;
        if let (Some(head), Effect::Commit) = (head, effect) {
            self.store.watch().saw(head, self.store.backend());
        }
        Ok(answer.expect("an act without an error has a result"))
    }
}

/// An act in progress.
#[derive(Debug)]
pub struct Act<'a> {
    /// The open transaction.
    pub tx: &'a Conn,
    /// Actor, channel and id of the act.
    pub context: ActContext,
    /// The folder below which new experiments keep their artifacts.
    pub artifact_root: &'a Path,
    /// The last event that the act appended.
    head: RefCell<Option<HeadOnRecord>>,
    store: &'a Store,
    guard: Option<&'a dyn RunTagGuard>,
}

impl Act<'_> {
    /// Decides on the tags that a client writes to runs; `None` without a guard.
    pub fn run_tag_guard(&self) -> Option<&dyn RunTagGuard> {
        self.guard
    }

    /// The current time, or the time of the last event of these models if that is later: a history never goes back, even
    /// if a clock does.
    ///
    /// Locks the models until the act ends. Facts that the act decides on must be read after this call.
    ///
    /// # Errors
    /// Those of the database.
    pub fn time_for<'n>(
        &self,
        names: impl IntoIterator<Item = &'n ModelName>,
    ) -> Result<Timestamp, StoreError> {
        let mut names: Vec<&ModelName> = names.into_iter().collect();
        // Always lock in the same order, so that two acts cannot deadlock.
        names.sort_unstable();
        names.dedup();
        for name in &names {
            hold(self.tx, Lock::Model(name))?;
        }
        names.iter().try_fold(now(), |at, name| Ok(at.max(event::last_time(self.tx, name)?)))
    }

    /// Appends events to the history, in order. Other acts cannot append until this act ends, because each event contains
    /// the hash of the one before it.
    ///
    /// # Errors
    /// Those of the database.
    pub fn append(
        &self,
        at: Timestamp,
        drafts: impl IntoIterator<Item = EventDraft>,
    ) -> Result<Vec<Event>, StoreError> {
        hold(self.tx, Lock::Chain)?;
        self.store.note_appended(at);
        let events = event::append(self.tx, &self.context, at, drafts)?;
        if let Some(last) = events.last() {
            *self.head.borrow_mut() =
                Some(HeadOnRecord { event: last.id, hash: last.hash.clone() });
        }
        Ok(events)
    }

    /// Waits until all other acts have ended. No other act can begin before this one ends.
    ///
    /// # Errors
    /// Those of the database.
    pub fn hold_everything(&self) -> Result<(), StoreError> {
        hold(self.tx, Lock::Everything)
    }
}
