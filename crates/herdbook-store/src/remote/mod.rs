//! Any MLflow server as a store.
//!
//! The acts of the SQL store run unchanged, on a private copy of the records in memory (`mirror`). What an act changes
//! there is captured, becomes an entry of the `journal`, where the order of acts is decided, and then follows on the
//! server (`projection`). Whoever reads the journal next completes what was left undone: `fold` tells for each place
//! what belongs there.
//!
//! Nothing here may hold a lock on the server or rest on a clock.

mod api;
mod artifacts;
mod capture;
mod changes;
mod credentials;
mod fold;
mod http;
mod journal;
mod lease;
mod mirror;
mod projection;
mod registry;
mod reservation;
mod slice;
mod state;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) use artifacts::Artifacts;
use capture::Captured;
pub(crate) use credentials::Access;
use fold::Fold;
use herdbook_domain::{Event, EventKind, RunId};
pub(crate) use http::{Client, Method, Trying, query_string};
use journal::{Entry, Journal};
use state::{State, raw};

use crate::db::Conn;
use crate::location::ServerUri;
use crate::schema::SecondChampion;
use crate::store::Effect;
use crate::{StoreError, event};

/// How much of the records an act needs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// All that concerns this system.
    Everything(View),
    /// One run: its own metrics and lease, on which nothing else depends.
    Run(&'a str),
}

/// What a look-up or an act sees where tags and journal differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// What the journal says, wherever the server's value is one that the journal knows from before.
    Completed,
    /// What is there, acts under way aside: the doctor looks for what others did.
    AsItStands,
}

/// A server used as a store.
#[derive(Debug)]
pub(crate) struct Remote {
    client: Client,
    actor: String,
    second_champion: SecondChampion,
    /// Where the artifacts of runs lie.
    artifacts: Mutex<BTreeMap<String, Artifacts>>,
    state: Mutex<State>,
}

impl Remote {
    /// Makes the acquaintance of a server.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`], [`StoreError::NotMlflow`], [`StoreError::BadAccess`].
    pub(crate) fn open(
        uri: &ServerUri,
        actor: &str,
        second_champion: SecondChampion,
    ) -> Result<Self, StoreError> {
        let client = Client::new(Access::from_environment(uri)?);
        let journal = Journal::find(&client)?;
        let state = State {
            conn: mirror::empty()?,
            journal,
            fold: Fold::default(),
            n_mirrored: 0,
            two_champions: BTreeMap::new(),
            is_outcome_open: false,
            wanted: BTreeSet::new(),
        };
        Ok(Self {
            client,
            actor: actor.to_owned(),
            second_champion,
            artifacts: Mutex::default(),
            state: Mutex::new(state),
        })
    }

    /// The server's address, without what is secret in it.
    pub(crate) fn uri(&self) -> &str {
        self.client.uri()
    }

    /// Lets look-ups and acts see a run from here on, whoever made it.
    pub(crate) fn want(&self, run_id: &RunId) {
        self.lock().wanted.insert(run_id.to_string());
    }

    /// Runs a look-up on one view of the records.
    pub(crate) fn read<T>(
        &self,
        view: View,
        mut look_up: impl FnMut(&Conn) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut state = self.lock();
        loop {
            let undone = state.refresh(&self.client, view)?;
            match state.complete(&self.client, &undone) {
                // Who may only read leaves completing to others.
                Err(error) if error.is_forbidden() => {}
                outcome => outcome?,
            }
            match look_up(&state.conn) {
                Err(StoreError::NoSuchRun { run_id })
                    if state.wanted.insert(run_id.to_string()) => {}
                outcome => return outcome,
            }
        }
    }

    /// Runs an act: decided on the mirror, entered in the journal, carried out. Where another act was first, it is
    /// decided anew.
    pub(crate) fn write<T>(
        &self,
        effect: Effect,
        scope: Scope<'_>,
        mut act: impl FnMut(&Conn) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut state = self.lock();
        loop {
            match scope {
                Scope::Everything(view) => {
                    let undone = state.refresh(&self.client, view)?;
                    state.complete(&self.client, &undone)?;
                }
                Scope::Run(run_id) => state.refresh_run(&self.client, run_id)?,
            }
            match self.attempt(&mut state, effect, scope, &mut act) {
                Ok(Some(outcome)) => return Ok(outcome),
                Ok(None) => {}
                Err(StoreError::NoSuchRun { run_id })
                    if state.wanted.insert(run_id.to_string()) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Where the SQL store's index refuses a second champion, here everyone but the doctor refuses to change stages of
    /// its model.
    fn check_champions(
        &self,
        two_champions: &BTreeMap<String, Vec<i64>>,
        events: &[Event],
    ) -> Result<(), StoreError> {
        if self.second_champion == SecondChampion::Tolerate {
            return Ok(());
        }
        let changes = events.iter().filter(|event| event.what.kind == EventKind::StageChanged);
        let mut names = changes.filter_map(|event| event.what.name.as_ref());
        match names.find_map(|name| two_champions.get_key_value(name.as_str())) {
            None => Ok(()),
            Some((name, versions)) => {
                Err(StoreError::TwoChampions { name: name.clone(), versions: versions.clone() })
            }
        }
    }

    /// `None`: another act was first.
    fn attempt<T>(
        &self,
        state: &mut State,
        effect: Effect,
        scope: Scope<'_>,
        act: &mut impl FnMut(&Conn) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let State { conn, journal, fold, n_mirrored, two_champions, is_outcome_open, .. } = state;
        let tx = raw(conn).unchecked_transaction()?;
        capture::begin(&tx)?;
        let last = event::last_id(conn)?;
        let outcome = act(conn)?;
        let captured = capture::end(&tx)?;
        let events = event::after(conn, last)?;
        self.check_champions(two_champions, &events)?;
        if effect == Effect::DryRun {
            tx.rollback()?;
            return Ok(Some(outcome));
        }
        let is_journaled = !events.is_empty();
        // A metric or a sign of life is soon sent again: whoever waits for it here would only hold the training up.
        let trying = match scope {
            Scope::Everything(_) => Trying::Patiently,
            Scope::Run(_) => Trying::Once,
        };
        self.send_additions(&captured, trying)?;
        if is_journaled {
            let journal = match journal {
                Some(journal) => journal,
                None => journal.insert(Journal::find_or_create(&self.client, &self.actor)?),
            };
            if journal.entries().len() != *n_mirrored {
                return Ok(None);
            }
            let entry = Entry::new(captured.changes.clone(), events);
            let place = journal.append(&self.client, entry).inspect_err(|error| {
                *is_outcome_open |= matches!(error, StoreError::OutcomeUnknown { .. });
            })?;
            fold.extend(journal.entries());
            if place == journal::Place::Lost {
                return Ok(None);
            }
            *n_mirrored += 1;
        }
        let leases = captured
            .leases
            .iter()
            .map(|run_id| Ok((run_id.as_str(), lease::tag(&tx, run_id)?)))
            .collect::<Result<Vec<_>, StoreError>>()?;
        tx.commit()?;
        let carried_out = self
            .carry_out(state, &captured, &leases, trying, is_journaled)
            .and_then(|()| if is_journaled { state.settle(&self.client) } else { Ok(()) });
        match carried_out {
            // What the journal holds has happened, whatever came after.
            Err(error) if is_journaled => Err(StoreError::Unfinished {
                store: self.client.uri().to_owned(),
                problem: error.to_string(),
            }),
            outcome_of_writes => outcome_of_writes.map(|()| Some(outcome)),
        }
    }

    /// What only adds to a run of this process: it may be there before the act is decided.
    fn send_additions(&self, captured: &Captured, trying: Trying) -> Result<(), StoreError> {
        for (run_id, params) in captured.params_by_run() {
            self.client.log_params(run_id, &params)?;
        }
        for (run_id, metrics) in captured.metrics_by_run() {
            self.client.log_metrics(run_id, &metrics, trying)?;
        }
        Ok(())
    }

    fn carry_out(
        &self,
        state: &State,
        captured: &Captured,
        leases: &[(&str, Option<String>)],
        trying: Trying,
        is_journaled: bool,
    ) -> Result<(), StoreError> {
        projection::write(&self.client, &captured.changes.0)?;
        let last = state
            .journal
            .as_ref()
            .and_then(|journal| journal.entries().get(state.n_mirrored.wrapping_sub(1)));
        if let (Some(entry), true) = (last, is_journaled) {
            for (name, version) in mirror::registrations(&entry.events).keys() {
                self.client.delete_version_tag(name, *version, mirror::PENDING)?;
            }
        }
        for (run_id, tag) in leases {
            match tag {
                Some(tag) => self.client.set_run_tag(run_id, lease::TAG, tag, trying)?,
                None => self.client.delete_run_tag(run_id, lease::TAG)?,
            }
        }
        if let (Some(journal), true) = (&state.journal, is_journaled) {
            journal.note_applied(&self.client, state.n_mirrored)?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
