//! A server as a backend: acts are decided on the copy, entered in the journal, and carried out on the server.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use herdbook_domain::{Event, EventKind, ModelName, RunId, VersionNumber};
use herdbook_store::artifacts::place::ArtifactPlace;
use herdbook_store::engine::backend::{ActRequest, Backend, LookUp, NewRun, Reservation, Scope};
use herdbook_store::engine::memory;
use herdbook_store::engine::opening::SecondChampion;
use herdbook_store::tables::event;
use herdbook_store::{Effect, ServerUri, StoreError};

use crate::client::answer::ServerAnswer;
use crate::client::{Access, Client, Trying};
use crate::copy::capture::{self, Captured};
use crate::copy::{lease, mirror};
use crate::journal::entries::{self, Entry, Journal, registrations};
use crate::journal::fold::Fold;
use crate::projection;
use crate::state::{State, raw};

/// A server used as a store.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) client: Arc<Client>,
    second_champion: SecondChampion,
    state: Mutex<State>,
}

impl Remote {
    /// Connects to a server and reads its journal.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`], [`StoreError::NotMlflow`], [`StoreError::BadAccess`].
    pub(crate) fn open(
        uri: &ServerUri,
        second_champion: SecondChampion,
    ) -> Result<Self, StoreError> {
        let client = Arc::new(Client::new(Access::from_environment(uri)?));
        let journal = Journal::find(&client)?;
        let state = State {
            conn: memory::create()?,
            journal,
            fold: Fold::default(),
            n_mirrored: 0,
            two_champions: BTreeMap::new(),
            is_outcome_open: false,
            wanted: BTreeSet::new(),
        };
        Ok(Self { client, second_champion, state: Mutex::new(state) })
    }

    /// The server's address, without what is secret in it.
    pub(crate) fn uri(&self) -> &str {
        self.client.uri()
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

    /// Decides an act on the copy, enters it in the journal and carries it out.
    fn attempt(
        &self,
        state: &mut State,
        request: ActRequest<'_>,
        act: &mut LookUp<'_>,
    ) -> Result<Attempt, StoreError> {
        let ActRequest { scope, effect, actor } = request;
        let State { conn, journal, fold, n_mirrored, two_champions, is_outcome_open, .. } = state;
        let tx = raw(conn).unchecked_transaction()?;
        capture::begin(&tx)?;
        let last = event::last_id(conn)?;
        act(conn)?;
        let captured = capture::end(&tx)?;
        let events = event::after(conn, last)?;
        self.check_champions(two_champions, &events)?;
        if effect == Effect::DryRun {
            tx.rollback()?;
            return Ok(Attempt::Done);
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
                None => journal.insert(Journal::find_or_create(&self.client, actor.as_str())?),
            };
            if journal.entries().len() != *n_mirrored {
                return Ok(Attempt::Overtaken);
            }
            let entry = Entry::new(captured.changes.clone(), events);
            let place = journal.append(&self.client, entry).inspect_err(|error| {
                *is_outcome_open |= matches!(error, StoreError::OutcomeUnknown { .. });
            })?;
            fold.extend(journal.entries());
            if place == entries::Place::Lost {
                return Ok(Attempt::Overtaken);
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
            outcome => outcome.map(|()| Attempt::Done),
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
            for (name, version) in registrations(&entry.events).keys() {
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

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How an attempt at an act ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    Done,
    /// Another act took its place in the journal: it has to be decided again.
    Overtaken,
}

impl Backend for Remote {
    fn read(&self, scope: Scope<'_>, look_up: &mut LookUp<'_>) -> Result<(), StoreError> {
        let mut state = self.lock();
        loop {
            match scope {
                Scope::Everything(view) => {
                    let undone = state.refresh(&self.client, view)?;
                    match state.complete(&self.client, &undone) {
                        // Who may only read leaves completing to others.
                        Err(error) if error.is_forbidden() => {}
                        outcome => outcome?,
                    }
                }
                Scope::Run(run_id) => state.refresh_run(&self.client, run_id.as_str())?,
            }
            match look_up(&state.conn) {
                Err(StoreError::NoSuchRun { run_id })
                    if state.wanted.insert(run_id.to_string()) => {}
                outcome => return outcome,
            }
        }
    }

    /// Where another act took the place in the journal, this one is decided again.
    fn write(&self, request: ActRequest<'_>, act: &mut LookUp<'_>) -> Result<(), StoreError> {
        let mut state = self.lock();
        loop {
            match request.scope {
                Scope::Everything(view) => {
                    let undone = state.refresh(&self.client, view)?;
                    state.complete(&self.client, &undone)?;
                }
                Scope::Run(run_id) => state.refresh_run(&self.client, run_id.as_str())?,
            }
            match self.attempt(&mut state, request, act) {
                Ok(Attempt::Done) => return Ok(()),
                Ok(Attempt::Overtaken) => {}
                Err(StoreError::NoSuchRun { run_id })
                    if state.wanted.insert(run_id.to_string()) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn artifacts_at(&self, owner: &str, location: &str) -> Result<ArtifactPlace, StoreError> {
        self.place_of_artifacts(owner, location)
    }

    fn has_our_tables(&self) -> bool {
        false
    }

    fn require_import(&self) -> Result<(), StoreError> {
        Err(StoreError::UnsupportedUri {
            uri: self.uri().to_owned(),
            rule: "an import writes runs with their ids and times, which a server does not take: \
                   import into a database, on which `mlflow server` can be started"
                .to_owned(),
        })
    }

    fn request_run(&self, run_id: &RunId) -> bool {
        self.lock().wanted.insert(run_id.to_string())
    }

    fn create_run(&self, run: &NewRun<'_>) -> Result<Option<RunId>, StoreError> {
        let id = self.make_run(run)?;
        RunId::parse(&id).map(Some).map_err(|error| StoreError::BrokenRecord {
            what: "a new run id".to_owned(),
            problem: error.to_string(),
        })
    }

    fn reserve_version(
        &self,
        reservation: &Reservation<'_>,
    ) -> Result<Option<VersionNumber>, StoreError> {
        (reservation.check)()?;
        let Reservation { name, run_id, folder, .. } = reservation;
        self.reserve(name.as_str(), run_id.as_str(), folder).map(Some)
    }

    fn release_version(&self, name: &ModelName, run_id: &RunId, number: VersionNumber) {
        self.release(name.as_str(), run_id.as_str(), number);
    }
}
