//! What this process knows of a server: the acts of the journal read so far, and the copy of the records.

use std::collections::{BTreeMap, BTreeSet};

use herdbook_store::StoreError;
use herdbook_store::engine::backend::{Scope, View};
use herdbook_store::engine::db::Conn;
use herdbook_store::engine::memory;
use rusqlite::Connection;

use crate::client::answer::ServerAnswer;
use crate::client::{Client, Trying};
use crate::copy::overlay::{self, Unwritten};
use crate::copy::records::{Extent, Records};
use crate::copy::{stage_change, tables};
use crate::journal::entries::Journal;
use crate::journal::fold::Fold;
use crate::journal::subjects::Subjects;

/// Maximum number of times that the records are fetched again because a version was registered in the meantime.
const FETCHES: usize = 10;
/// With more subjects of unfinished acts than this, everything is fetched instead of each subject.
const SINGLE_SUBJECTS: usize = 16;

#[derive(Debug)]
pub(super) struct State {
    pub(super) conn: Conn,
    pub(super) journal: Option<Journal>,
    pub(super) fold: Fold,
    /// How many acts of the journal have their events in the copy.
    pub(super) n_in_copy: usize,
    /// Models with more than one champion, and the numbers of those versions.
    pub(super) two_champions: BTreeMap<String, Vec<i64>>,
    /// Whether an act of this process may still be appended to the journal, after a call without an answer.
    pub(super) is_outcome_open: bool,
    /// Runs that a look-up or act needed and did not find: they are fetched too.
    pub(super) wanted: BTreeSet<String>,
}

/// The content of the copy after unwritten values were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Copy {
    /// The records that were fetched for the scope.
    AsFetched,
    /// Other records.
    Refilled,
}

/// How current the journal has to be for an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Currency {
    /// As it was read last: appending the act fails if another act was appended since.
    AsKnown,
    /// Read again before the act.
    Now,
}

impl State {
    /// The state before anything was fetched.
    ///
    /// # Errors
    /// Those of SQLite.
    pub(super) fn new(journal: Option<Journal>) -> Result<Self, StoreError> {
        Ok(Self {
            conn: memory::create()?,
            journal,
            fold: Fold::default(),
            n_in_copy: 0,
            two_champions: BTreeMap::new(),
            is_outcome_open: false,
            wanted: BTreeSet::new(),
        })
    }

    /// Fills the copy for a look-up: with the records of a scope as the journal requires them at present.
    ///
    /// # Errors
    /// Those of reaching the server, and of a journal that cannot be read.
    pub(super) fn prepare_look_up(
        &mut self,
        client: &Client,
        scope: Scope<'_>,
    ) -> Result<(), StoreError> {
        let (mut n_fetches, mut may_write) = (0, true);
        loop {
            n_fetches += 1;
            let may_repeat = n_fetches < FETCHES;
            let is_first_reading = !self.is_journal_read();
            if is_first_reading {
                self.read_journal(client)?;
            }
            let n_before = self.fold.n_entries();
            let records = self.fetch(client, scope)?;
            // The effect of an act that was appended during the fetch may be in only a part of the records. So the journal is
            // read again. If the records lack a version that the act registered, they are fetched again.
            let is_current = match scope {
                Scope::KnownHistory => true,
                Scope::History => is_first_reading,
                _ => false,
            };
            if !is_current {
                self.read_journal(client)?;
            }
            let is_missing = |(name, number): (&str, i64)| !records.has_version(name, number);
            let lists_versions = matches!(scope, Scope::Everything(_) | Scope::Newest);
            let mut n_known = self.fold.n_entries();
            if lists_versions && self.fold.registered_since(n_before).any(is_missing) {
                n_known = n_before;
            }
            let unwritten = self.fill(client, records, n_before, view_of(scope))?;
            if may_repeat && lists_versions && self.fold.registered_since(n_known).next().is_some()
            {
                continue;
            }
            if !may_repeat || !may_write {
                return Ok(());
            }
            match self.write_rest(client, &unwritten) {
                Ok(Copy::AsFetched) => return Ok(()),
                Ok(Copy::Refilled) => {}
                // Without permission to write, this process does not complete the acts of others.
                Err(error) if error.is_forbidden() => may_write = false,
                Err(error) => return Err(error),
            }
        }
    }

    /// Fills the copy for an act. Returns whether the journal was read during this call.
    ///
    /// # Errors
    /// As [`State::prepare_look_up`].
    pub(super) fn prepare_act(
        &mut self,
        client: &Client,
        scope: Scope<'_>,
        currency: Currency,
    ) -> Result<Currency, StoreError> {
        let mut currency = currency;
        loop {
            if currency == Currency::Now || !self.is_journal_read() {
                self.read_journal(client)?;
                currency = Currency::Now;
            }
            let n_before = self.fold.n_entries();
            let records = self.fetch(client, scope)?;
            let unwritten = self.fill(client, records, n_before, view_of(scope))?;
            let is_as_fetched = self.write_rest(client, &unwritten)? == Copy::AsFetched;
            if is_as_fetched && self.n_in_copy == n_before {
                return Ok(currency);
            }
        }
    }

    /// Reads the acts that were appended to the journal since the last reading.
    ///
    /// # Errors
    /// Those of [`Journal::find`] and [`Journal::read`].
    pub(super) fn read_journal(&mut self, client: &Client) -> Result<(), StoreError> {
        if self.journal.is_none() {
            self.journal = Journal::find(client)?;
        }
        if let Some(journal) = &mut self.journal {
            journal.read(client)?;
            self.fold.extend(journal.entries());
        }
        Ok(())
    }

    /// Whether an act was appended to the journal that the copy does not have. A server that does not answer now leaves the
    /// decision as it is.
    pub(super) fn is_outdated(&mut self, client: &Client) -> bool {
        self.read_journal(client).is_ok() && self.fold.n_entries() != self.n_in_copy
    }

    fn is_journal_read(&self) -> bool {
        self.journal.as_ref().is_some_and(Journal::is_read)
    }

    /// Fetches one run again and replaces it in the copy.
    ///
    /// # Errors
    /// Those of reaching the server.
    pub(super) fn refresh_run(
        &mut self,
        client: &Client,
        run_id: &str,
        trying: Trying,
    ) -> Result<(), StoreError> {
        if let Some(run) = client.run_trying(run_id, trying)? {
            tables::refill_run(raw(&self.conn), &run)?;
        }
        Ok(())
    }

    fn fetch(&self, client: &Client, scope: Scope<'_>) -> Result<Records, StoreError> {
        let everything = |view| Records::everything(client, view, &self.wanted);
        match scope {
            Scope::Everything(view) => everything(view),
            Scope::History | Scope::KnownHistory | Scope::Run(_) | Scope::Model(_) => {
                Ok(Records::default())
            }
            Scope::Newest => Records::newest(client),
            Scope::StageChange(change) => match stage_change::fetch(client, &self.fold, change)? {
                Some(records) => Ok(records),
                None => everything(View::Completed),
            },
        }
    }

    /// Fills the copy with records, including those of unfinished acts. Sets every value in the copy that the journal
    /// requires, and returns the values that the server does not have.
    ///
    /// `n_before` acts were known when the records were fetched.
    fn fill(
        &mut self,
        client: &Client,
        mut records: Records,
        n_before: usize,
        view: View,
    ) -> Result<Unwritten, StoreError> {
        let n_settled = match (view, &self.journal) {
            (View::AsItStands, Some(journal)) => journal.read_n_applied(client)?,
            _ => 0,
        };
        loop {
            let missing = self.missing_of_unfinished(&records);
            if missing.len() == 0 {
                break;
            }
            if missing.len() > SINGLE_SUBJECTS {
                records = Records::everything(client, view, &self.wanted)?;
            } else {
                // Only once: a record that is not found now does not exist.
                records.fetch(client, &self.fold, &missing)?;
                records.sought.extend(missing);
            }
            let n_known = self.fold.n_entries();
            self.read_journal(client)?;
            if self.fold.n_entries() == n_known {
                break;
            }
        }
        let entries = self.journal.as_ref().map_or(&[][..], Journal::entries);
        let tx = raw(&self.conn).unchecked_transaction()?;
        tables::fill(&tx, &records, &self.fold)?;
        tables::add_events(
            &self.conn,
            entries[self.n_in_copy..].iter().flat_map(|entry| &entry.events),
        )?;
        let unwritten = overlay::apply(&tx, &self.fold, &records, n_before, n_settled)?;
        self.two_champions = memory::restore_champion_index(&self.conn)?;
        tx.commit()?;
        self.n_in_copy = entries.len();
        Ok(unwritten)
    }

    /// The subjects of acts that are not known to be written completely, without those that are among the records.
    fn missing_of_unfinished(&self, records: &Records) -> Subjects {
        let Some(journal) = self.journal.as_ref().filter(|_| records.extent == Extent::Part) else {
            return Subjects::default();
        };
        let unfinished = journal.entries().iter().skip(journal.n_applied());
        let mut missing = Subjects::of(unfinished.flat_map(|entry| entry.changes.0.keys()));
        let mut present = records.subjects();
        present.subtract(&records.by_journal);
        missing.subtract(&present);
        missing.subtract(&records.sought);
        missing
    }

    /// Writes the values that earlier acts did not write, and marks these acts as applied.
    fn write_rest(&mut self, client: &Client, unwritten: &Unwritten) -> Result<Copy, StoreError> {
        let n_applied = self.journal.as_ref().map_or(0, Journal::n_applied);
        if unwritten.is_empty() && n_applied >= self.n_in_copy {
            return Ok(Copy::AsFetched);
        }
        if !unwritten.is_empty() {
            // If another act was appended, the process that appended it writes these values or later ones.
            self.read_journal(client)?;
            if self.fold.n_entries() != self.n_in_copy {
                return Ok(Copy::AsFetched);
            }
        }
        unwritten.write(client)?;
        let copy = self.settle(client, unwritten.subjects())?;
        self.note_applied(client)?;
        Ok(copy)
    }

    /// Marks the acts whose events are in the copy as applied.
    ///
    /// # Errors
    /// Those of reaching the server.
    pub(super) fn note_applied(&mut self, client: &Client) -> Result<(), StoreError> {
        match &mut self.journal {
            Some(journal) => journal.note_applied(client, self.n_in_copy),
            None => Ok(()),
        }
    }

    /// Repeats until no act was appended while values of these subjects were written. Such an act could have been applied
    /// before those values arrived, and be overwritten by them.
    ///
    /// # Errors
    /// Those of reaching the server.
    pub(super) fn settle(
        &mut self,
        client: &Client,
        mut subjects: Subjects,
    ) -> Result<Copy, StoreError> {
        let mut copy = Copy::AsFetched;
        loop {
            self.read_journal(client)?;
            let Some(journal) = &self.journal else { return Ok(copy) };
            let new = &journal.entries()[self.n_in_copy..];
            if new.is_empty() {
                return Ok(copy);
            }
            subjects.extend(Subjects::of(new.iter().flat_map(|entry| entry.changes.0.keys())));
            copy = Copy::Refilled;
            let n_before = self.fold.n_entries();
            let mut records = Records::default();
            if subjects.len() > SINGLE_SUBJECTS {
                records = Records::everything(client, View::Completed, &self.wanted)?;
            } else {
                records.fetch(client, &self.fold, &subjects)?;
                records.sought = subjects.clone();
            }
            let unwritten = self.fill(client, records, n_before, View::Completed)?;
            subjects.extend(unwritten.subjects());
            unwritten.write(client)?;
        }
    }
}

fn view_of(scope: Scope<'_>) -> View {
    match scope {
        Scope::Everything(view) => view,
        _ => View::Completed,
    }
}

/// The connection of the copy, which is in SQLite.
pub(super) fn raw(conn: &Conn) -> &Connection {
    match conn {
        Conn::Sqlite(conn) => conn,
        Conn::Postgres(_) => unreachable!("`memory::create` opens SQLite"),
    }
}
