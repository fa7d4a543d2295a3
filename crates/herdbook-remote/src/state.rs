//! What this process knows of a server: the journal as far as it was read, and the mirror filled from the records.

use std::collections::{BTreeMap, BTreeSet};

use herdbook_store::StoreError;
use herdbook_store::engine::backend::View;
use herdbook_store::engine::db::Conn;
use herdbook_store::engine::memory;
use rusqlite::Connection;

use crate::client::{Client, Trying, wire};
use crate::copy::lease;
use crate::copy::mirror::{self, Subject};
use crate::copy::slice::Slice;
use crate::journal::changes::{Place, Step};
use crate::journal::entries::Journal;
use crate::journal::fold::{Fold, Verdict};
use crate::projection;

/// How often the records are fetched again where versions appear meanwhile.
const FETCHES: usize = 10;

#[derive(Debug)]
pub(super) struct State {
    pub(super) conn: Conn,
    pub(super) journal: Option<Journal>,
    pub(super) fold: Fold,
    /// How many acts of the journal have their events in the mirror.
    pub(super) n_mirrored: usize,
    /// Models with more than one champion, and those.
    pub(super) two_champions: BTreeMap<String, Vec<i64>>,
    /// Whether an act of this process may still be on its way into the journal.
    pub(super) is_outcome_open: bool,
    /// Runs that a look-up or act missed: they are fetched too.
    pub(super) wanted: BTreeSet<String>,
}

/// What the journal says and the server does not show yet.
pub(super) struct Undone {
    changes: BTreeMap<Place, Step>,
    /// Registered versions that are still marked as pending.
    pending: Vec<(String, i64)>,
    /// Runs that ended and still have a lease.
    leases: Vec<String>,
}

impl Undone {
    fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.pending.is_empty() && self.leases.is_empty()
    }
}

impl State {
    /// Fetches the records and lays the journal over them. Answers what is left undone on the server.
    pub(super) fn refresh(&mut self, client: &Client, view: View) -> Result<Undone, StoreError> {
        let mut fetches = 0;
        let (slice, before) = loop {
            // The journal before and after: what is registered in between may be missing in what was fetched.
            self.read_journal(client)?;
            let before = self.fold.n_entries();
            let slice = Slice::fetch(client, view, &self.wanted)?;
            self.read_journal(client)?;
            fetches += 1;
            if !self.fold.has_registered_since(before) || fetches == FETCHES {
                break (slice, before);
            }
        };
        let n_settled = match (view, &self.journal) {
            (View::AsItStands, Some(journal)) => journal.n_applied(client)?,
            _ => 0,
        };
        let (changes, leases) = self.mirror(&slice, before, n_settled)?;
        let pending = slice
            .versions
            .iter()
            .filter(|version| wire::value_of(&version.tags, mirror::PENDING).is_some())
            .map(|version| (version.name.clone(), version.version.parse().unwrap_or_default()))
            .filter(|(name, version)| self.fold.is_registered(name, *version))
            .collect();
        Ok(Undone { changes, pending, leases })
    }

    pub(super) fn read_journal(&mut self, client: &Client) -> Result<(), StoreError> {
        match &mut self.journal {
            Some(journal) => {
                journal.refresh(client)?;
            }
            None => self.journal = Journal::find(client)?,
        }
        if let Some(journal) = &self.journal {
            self.fold.extend(journal.entries());
        }
        Ok(())
    }

    /// Fills the mirror. Answers what the journal says and the server does not show yet, and the runs whose lease is over.
    fn mirror(
        &mut self,
        slice: &Slice,
        before: usize,
        n_settled: usize,
    ) -> Result<(BTreeMap<Place, Step>, Vec<String>), StoreError> {
        let tx = raw(&self.conn).unchecked_transaction()?;
        mirror::fill(&tx, slice, &self.fold)?;
        let entries = self.journal.as_ref().map_or(&[][..], Journal::entries);
        mirror::add_events(
            &self.conn,
            entries[self.n_mirrored..].iter().flat_map(|entry| &entry.events),
        )?;
        mirror::add_deleted(&tx, &self.fold, before)?;
        let mut unfinished = BTreeMap::new();
        for (place, act) in self.fold.places() {
            let held = mirror::held(&tx, place)?;
            let Verdict::Stale { right } = self.fold.verdict(place, held.value.as_deref()) else {
                continue;
            };
            let is_open = match held.subject {
                Subject::Missing => false,
                // Nobody else can say what its tags were.
                Subject::Deleted => true,
                Subject::There => act > n_settled,
            };
            if !is_open || !is_the_one(&tx, &self.fold, place)? {
                continue;
            }
            mirror::set(&tx, place, right)?;
            if held.subject == Subject::There {
                unfinished.insert(place.clone(), Step(held.value, right.map(ToOwned::to_owned)));
            }
        }
        self.two_champions = memory::restore_champion_index(&self.conn)?;
        mirror::add_leases_of_resumed(&tx)?;
        let leases = end_leases(&tx, &self.fold, n_settled)?;
        self.n_mirrored = entries.len();
        tx.commit()?;
        Ok((unfinished, leases))
    }

    /// Goes on until no act came while the last values were written: one that came may have been carried out before they
    /// were, and they are older than its own.
    pub(super) fn settle(&mut self, client: &Client) -> Result<(), StoreError> {
        loop {
            let Some(journal) = &mut self.journal else { return Ok(()) };
            journal.refresh(client)?;
            if journal.entries().len() == self.n_mirrored {
                return Ok(());
            }
            let undone = self.refresh(client, View::Completed)?;
            self.complete(client, &undone)?;
        }
    }

    /// Writes what is left undone.
    pub(super) fn complete(&mut self, client: &Client, undone: &Undone) -> Result<(), StoreError> {
        if undone.is_empty() {
            return Ok(());
        }
        // Whoever wrote the journal on since then knows better, and completes this too.
        if let Some(journal) = &mut self.journal
            && journal.refresh(client)? != journal.entries().len()
        {
            return Ok(());
        }
        projection::write(client, &undone.changes)?;
        for (name, version) in &undone.pending {
            client.delete_version_tag(name, *version, mirror::PENDING)?;
        }
        for run_id in &undone.leases {
            client.delete_run_tag(run_id, lease::TAG)?;
        }
        if let Some(journal) = &self.journal {
            journal.note_applied(client, self.n_mirrored)?;
        }
        self.settle(client)
    }

    pub(super) fn refresh_run(&mut self, client: &Client, run_id: &str) -> Result<(), StoreError> {
        if let Some(run) = client.run_trying(run_id, Trying::Once)? {
            mirror::refill_run(raw(&self.conn), &run)?;
        }
        Ok(())
    }
}

/// The mirror is in SQLite.
pub(super) fn raw(conn: &Conn) -> &Connection {
    match conn {
        Conn::Sqlite(conn) => conn,
        Conn::Postgres(_) => unreachable!("`mirror::empty` makes the connection"),
    }
}

/// Takes away the leases of runs that the journal ended: whoever ended them may have died before the lease went.
fn end_leases(conn: &Connection, fold: &Fold, n_settled: usize) -> Result<Vec<String>, StoreError> {
    let mut ended = Vec::new();
    for (place, act) in fold.places() {
        let Place::RunStatus { run } = place else { continue };
        let held = mirror::held(conn, place)?;
        let is_ours = matches!(fold.verdict(place, held.value.as_deref()), Verdict::Right);
        // MLflow changes nothing of a run that was deleted: the tag stays, and says nothing.
        let is_deleted = held.subject == Subject::Deleted;
        let is_over = is_ours && (is_deleted || act > n_settled);
        if is_over && mirror::end_lease(conn, run)? && !is_deleted {
            ended.push(run.clone());
        }
    }
    Ok(ended)
}

/// A version that was deleted with its model, and one of the same number made since, are not the same.
fn is_the_one(conn: &Connection, fold: &Fold, place: &Place) -> Result<bool, StoreError> {
    let (Place::VersionTag { name, version, .. } | Place::VersionStage { name, version }) = place
    else {
        return Ok(true);
    };
    match (fold.run_of(name, *version), mirror::run_of(conn, name, *version)?) {
        (Some(by_journal), Some(found)) => Ok(by_journal == found),
        _ => Ok(true),
    }
}
