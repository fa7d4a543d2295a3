//! A server as a backend: an act is decided on the copy of the records, appended to the journal, and its changes are
//! written to the server.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use herdbook_domain::{Event, EventKind, ModelName, RunId, RunPrefix, VersionNumber};
use herdbook_store::artifacts::place::ArtifactPlace;
use herdbook_store::engine::backend::{
    ActRequest, Backend, LookUp, NewRun, Reservation, Scope, View,
};
use herdbook_store::engine::opening::SecondChampion;
use herdbook_store::tables::event;
use herdbook_store::{Effect, Identity, Notices, PlaceState, ServerUri, StoreError};

use crate::client::{Access, Client, Trying};
use crate::copy::capture::{self, Captured};
use crate::copy::records::training_experiments;
use crate::copy::{lease, tables};
use crate::journal::entries::{Appended, Entry, Journal, registrations};
use crate::journal::subjects::Subjects;
use crate::projection;
use crate::state::{Currency, State, raw};

/// A server used as a store.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) client: Arc<Client>,
    second_champion: SecondChampion,
    state: Mutex<State>,
}

impl Remote {
    /// Connects to a server and finds its journal.
    ///
    /// # Errors
    /// [`StoreError::Unreachable`], [`StoreError::NotMlflow`], [`StoreError::BadAccess`].
    pub(crate) fn open(
        uri: &ServerUri,
        second_champion: SecondChampion,
        notices: &Notices,
    ) -> Result<Self, StoreError> {
        let access = Access { notices: notices.clone(), ..Access::from_environment(uri)? };
        let client = Arc::new(Client::new(access));
        let state = Mutex::new(State::new(Journal::find(&client)?)?);
        Ok(Self { client, second_champion, state })
    }

    /// The server's address, without user and password.
    pub(crate) fn uri(&self) -> &str {
        self.client.uri()
    }

    /// Refuses every change of stage of a model with two champions, except by the doctor. In a SQL database an index
    /// prevents the second champion.
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

    /// Decides an act on the copy, appends it to the journal and writes its changes.
    fn attempt(
        &self,
        state: &mut State,
        request: ActRequest<'_>,
        currency: Currency,
        act: &mut LookUp<'_>,
    ) -> Result<Attempt, StoreError> {
        let ActRequest { scope, effect, actor } = request;
        let is_on_run = matches!(scope, Scope::Run(_));
        let tx = raw(&state.conn).unchecked_transaction()?;
        capture::begin(&tx)?;
        let last = event::last_id(&state.conn)?;
        let decided = act(&state.conn).and_then(|()| {
            let captured = capture::end(&tx)?;
            let events = event::after(&state.conn, last)?;
            self.check_champions(&state.two_champions, &events)?;
            Ok((captured, events))
        });
        let (captured, events) = match decided {
            Ok(decided) => decided,
            Err(error) => return Ok(Attempt::Refused(error)),
        };
        let is_journaled = !events.is_empty();
        // Appending to the journal fails if the act was not decided on the newest records. Without an append, or with
        // params or metrics sent before it, this check comes too late: then the journal must have been read for this act.
        let is_checked_by_journal =
            is_journaled && effect == Effect::Commit && !captured.has_additions();
        if currency == Currency::AsKnown && !is_on_run && !is_checked_by_journal {
            return Ok(Attempt::Outdated);
        }
        if effect == Effect::DryRun {
            return Ok(Attempt::Done);
        }
        // A training sends its metrics and lease again soon. Retries here would delay it.
        let trying = if is_on_run { Trying::Once } else { Trying::Patiently };
        self.send_additions(&captured, trying)?;
        if is_journaled {
            let journal = match &mut state.journal {
                Some(journal) => journal,
                None => {
                    state.journal.insert(Journal::find_or_create(&self.client, actor.as_str())?)
                }
            };
            if journal.entries().len() != state.n_in_copy {
                return Ok(Attempt::Outdated);
            }
            let entry = Entry::new(captured.changes.clone(), events);
            let appended = journal.append(&self.client, entry).inspect_err(|error| {
                state.is_outcome_open |= matches!(error, StoreError::OutcomeUnknown { .. });
            })?;
            state.fold.extend(journal.entries());
            if appended == Appended::Lost {
                return Ok(Attempt::Outdated);
            }
            state.n_in_copy += 1;
        }
        let leases = captured
            .leases
            .iter()
            .map(|run_id| Ok((run_id.as_str(), lease::tag(&tx, run_id)?)))
            .collect::<Result<Vec<_>, StoreError>>()?;
        tx.commit()?;
        match self.write_changes(state, &captured, &leases, trying, is_journaled) {
            // An act in the journal has taken effect, even if an error follows.
            Err(error) if is_journaled => Err(StoreError::Unfinished {
                store: self.client.uri().to_owned(),
                problem: error.to_string(),
            }),
            outcome => outcome.map(|()| Attempt::Done),
        }
    }

    /// Sends params and metrics. They are only added to a run of this process, so they may be written before the act is in
    /// the journal.
    fn send_additions(&self, captured: &Captured, trying: Trying) -> Result<(), StoreError> {
        for (run_id, params) in captured.params_by_run() {
            self.client.log_params(run_id, &params)?;
        }
        for (run_id, metrics) in captured.metrics_by_run() {
            self.client.log_metrics(run_id, &metrics, trying)?;
        }
        Ok(())
    }

    /// Writes an act's changes to the server, and then marks an act in the journal as applied.
    fn write_changes(
        &self,
        state: &mut State,
        captured: &Captured,
        leases: &[(&str, Option<String>)],
        trying: Trying,
        is_journaled: bool,
    ) -> Result<(), StoreError> {
        projection::write(&self.client, &captured.changes.0)?;
        let mut subjects = Subjects::of(captured.changes.0.keys());
        let entries = state.journal.as_ref().map_or(&[][..], Journal::entries);
        if let (Some(entry), true) = (entries.get(state.n_in_copy.wrapping_sub(1)), is_journaled) {
            for (name, version) in registrations(&entry.events).into_keys() {
                self.client.delete_version_tag(&name, version, tables::PENDING)?;
                subjects.versions.insert((name, version));
            }
        }
        for (run_id, tag) in leases {
            match tag {
                Some(tag) => self.client.set_run_tag(run_id, lease::TAG, tag, trying)?,
                None => self.client.delete_run_tag(run_id, lease::TAG)?,
            }
        }
        if is_journaled {
            state.settle(&self.client, subjects)?;
            state.note_applied(&self.client)?;
        }
        Ok(())
    }

    /// The state, locked for one look-up or act.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How an attempt at an act ended.
#[derive(Debug)]
enum Attempt {
    Done,
    /// The act failed on the records in the copy.
    Refused(StoreError),
    /// Another act was appended to the journal, or may have been: the act has to be decided again.
    Outdated,
}

/// Whether an error says that a record does not exist. If the scope has only a part of the records, the record may be in the
/// other part.
fn is_about_absence(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::NoSuchRun { .. }
            | StoreError::NoSuchModel { .. }
            | StoreError::UnknownModelInConditions { .. }
            | StoreError::NoSuchVersion { .. }
            | StoreError::DeletedVersion { .. }
    )
}

/// Whether the host of an address is this machine.
fn is_on_this_machine(uri: &str) -> bool {
    let authority =
        uri.split("://").nth(1).unwrap_or_default().split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The scope with everything, if a scope has only a part of the records.
fn widened(scope: Scope<'_>) -> Scope<'_> {
    if shows_everything(scope) { scope } else { Scope::Everything(View::Completed) }
}

fn shows_everything(scope: Scope<'_>) -> bool {
    matches!(scope, Scope::Everything(_))
}

impl Backend for Remote {
    fn read(&self, scope: Scope<'_>, look_up: &mut LookUp<'_>) -> Result<(), StoreError> {
        let mut state = self.lock();
        let mut scope = scope;
        loop {
            if let Scope::Run(run_id) = scope {
                // The location of a run's artifacts, for which this scope is read, never changes.
                if !tables::knows_artifacts_of(raw(&state.conn), run_id.as_str())? {
                    state.refresh_run(&self.client, run_id.as_str(), Trying::Patiently)?;
                }
                return look_up(&state.conn);
            }
            if let Scope::Model(name) = scope {
                let found = self.client.registered_model(name.as_str())?;
                tables::refill_model(raw(&state.conn), name.as_str(), found.as_ref())?;
                return look_up(&state.conn);
            }
            state.prepare_look_up(&self.client, scope)?;
            match look_up(&state.conn) {
                Err(StoreError::NoSuchRun { run_id })
                    if state.wanted.insert(run_id.to_string()) => {}
                Err(error) if is_about_absence(&error) && !shows_everything(scope) => {}
                outcome => return outcome,
            }
            scope = widened(scope);
        }
    }

    fn write(&self, request: ActRequest<'_>, act: &mut LookUp<'_>) -> Result<(), StoreError> {
        let mut state = self.lock();
        let mut request = request;
        // A few records can be fetched twice at little cost. All records cannot.
        let mut currency = match request.scope {
            Scope::StageChange(_) => Currency::AsKnown,
            _ => Currency::Now,
        };
        loop {
            let found = match request.scope {
                Scope::Run(run_id) => {
                    state.refresh_run(&self.client, run_id.as_str(), Trying::Once)?;
                    Currency::Now
                }
                scope => state.prepare_act(&self.client, scope, currency)?,
            };
            let error = match self.attempt(&mut state, request, found, act)? {
                Attempt::Done
                    if request.effect == Effect::Commit || !state.is_outdated(&self.client) =>
                {
                    return Ok(());
                }
                Attempt::Done | Attempt::Outdated => {
                    currency = Currency::Now;
                    continue;
                }
                Attempt::Refused(error) => error,
            };
            match error {
                error @ StoreError::FileNotHashed { .. } => return Err(error),
                _ if found == Currency::AsKnown => currency = Currency::Now,
                StoreError::NoSuchRun { run_id }
                    if !matches!(request.scope, Scope::Run(_))
                        && state.wanted.insert(run_id.to_string()) =>
                {
                    request.scope = widened(request.scope);
                }
                error
                    if is_about_absence(&error)
                        && matches!(request.scope, Scope::StageChange(_) | Scope::Newest) =>
                {
                    request.scope = widened(request.scope);
                }
                // An act that was appended during the fetch may be in only a part of the records.
                _ if !matches!(request.scope, Scope::Run(_)) && state.is_outdated(&self.client) => {
                    currency = Currency::Now;
                }
                error => return Err(error),
            }
        }
    }

    /// The store's id is that of its journal. Servers of this machine follow each other at one address, so there the place
    /// is that of the journal, too.
    fn identity(&self) -> Identity {
        let store_id = self.lock().journal.as_ref().map(|journal| journal.id().to_owned());
        let place = match &store_id {
            _ if !is_on_this_machine(self.uri()) => Some(self.uri().to_owned()),
            Some(id) => Some(format!("{} {id}", self.uri())),
            None => None,
        };
        Identity { store_id, place, state: PlaceState::Home }
    }

    fn artifacts_at(&self, owner: &str, location: &str) -> Result<ArtifactPlace, StoreError> {
        self.place_of_artifacts(owner, location)
    }

    fn hides_what_is_out_of_scope(&self) -> bool {
        true
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

    fn run_ids(&self, prefix: &RunPrefix) -> Result<Vec<String>, StoreError> {
        let experiments = training_experiments(&self.client)?;
        let ids: Vec<String> = experiments.into_iter().map(|it| it.id).collect();
        let found = self.client.runs(&ids, &format!("attributes.run_id LIKE '{prefix}%'"))?;
        Ok(found.into_iter().map(|run| run.info.run_id).collect())
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
        self.reserve(reservation).map(Some)
    }

    fn release_version(&self, name: &ModelName, run_id: &RunId, number: VersionNumber) {
        self.release(name.as_str(), run_id.as_str(), number);
    }
}
