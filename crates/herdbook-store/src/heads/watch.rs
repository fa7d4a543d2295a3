//! Compares the history of an opened store with the remembered end, and remembers the present one.
//!
//! The order matters, because many processes read and write the same memory: it is read before the consistent state of the
//! records that it is compared with, and written after an end was seen committed. So a remembered end is never newer than
//! the records, unless the history was changed.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::folder::{self, Key, Memory};
use super::head::look;
use crate::engine::backend::{Backend, Scope};
use crate::engine::db::Conn;
use crate::engine::opening::Opened;
use crate::engine::place::recorded::has_table;
use crate::engine::place::state::{Identity, PlaceState};
use crate::error::StoreError;
use crate::history_change::{ChangeKind, HeadOnRecord, HistoryChange};
use crate::notices::{Level, Notices};

/// Look-ups of one process compare the history at most this often. Acts always do.
const INTERVAL: Duration = Duration::from_secs(1);
/// Acts of one process write the memory at most this often, and once when the store is closed.
const WRITE_INTERVAL: Duration = Duration::from_millis(200);

/// The memory of an opened store.
#[derive(Debug)]
pub(crate) struct Watch {
    /// `None`: nothing is remembered.
    folder: Option<PathBuf>,
    notices: Notices,
    name: String,
    known: Mutex<Known>,
}

/// What this process knows.
#[derive(Debug, Default)]
struct Known {
    identity: Identity,
    /// The newest end that this process has seen or that was remembered.
    seen: Option<HeadOnRecord>,
    /// The end of another store that was at this place.
    former: Option<HeadOnRecord>,
    /// Whether an end was remembered in a file that cannot be read now, and none elsewhere.
    is_damaged: bool,
    /// Whether the files lack the newest end.
    is_dirty: bool,
    written_at: Option<Instant>,
    compared_at: Option<Instant>,
    change: Option<HistoryChange>,
    /// Another place at which a store with this id was last seen, and still is.
    twin: Option<String>,
    has_complained: bool,
}

/// The end that a consistent state of the records must contain.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expectation {
    seen: Option<HeadOnRecord>,
    former: Option<HeadOnRecord>,
    is_damaged: bool,
}

/// The end that was found, and whether it contradicts the expectation.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    head: HeadOnRecord,
    pub(crate) change: Option<HistoryChange>,
}

impl Expectation {
    /// Compares the records of a connection with the expectation.
    ///
    /// # Errors
    /// Those of the database.
    pub(crate) fn compare(&self, conn: &Conn) -> Result<Found, StoreError> {
        let has_events = has_table(conn, "herdbook_events")?;
        let (head, kind) = if has_events {
            look(conn, self.seen.as_ref())?
        } else {
            let had = self.seen.as_ref().is_some_and(|head| head.event > 0);
            (HeadOnRecord::none(), had.then_some(ChangeKind::Shortened))
        };
        let (remembered, kind) = match (&self.former, kind) {
            (Some(former), _) => (Some(former.clone()), Some(ChangeKind::AnotherStore)),
            (None, _) if self.is_damaged => {
                (Some(HeadOnRecord::none()), Some(ChangeKind::MemoryDamaged))
            }
            (None, kind) => (self.seen.clone(), kind),
        };
        let change = remembered.zip(kind).map(|(remembered, kind)| HistoryChange {
            remembered,
            found: head.clone(),
            kind,
        });
        Ok(Found { head, change })
    }
}

/// Whether a look-up of a scope sees the newest event.
fn shows_newest_events(scope: Scope<'_>) -> bool {
    !matches!(scope, Scope::Run(_) | Scope::Model(_) | Scope::KnownHistory)
}

impl Watch {
    /// The memory of a store with this identity, in a folder if ends are remembered.
    pub(crate) fn new(
        folder: Option<&Path>,
        notices: &Notices,
        name: String,
        (identity, opened): (Identity, Opened),
    ) -> Self {
        let is_remembered = !matches!(identity.state, PlaceState::Copied { .. });
        let watch = Self {
            folder: folder.filter(|_| is_remembered).map(Path::to_owned),
            notices: notices.clone(),
            name,
            known: Mutex::default(),
        };
        let mut known = watch.lock();
        known.identity = identity;
        watch.load(&mut known);
        let is_new = opened == Opened::Created;
        known.is_damaged &= !is_new;
        let replaced = if is_new { known.former.take() } else { None };
        if let Some(former) = replaced {
            let text = format!(
                "note: a store with {} events was at `{}` before; this one is new",
                former.event, watch.name
            );
            watch.notices.say(Level::Note, &text);
        }
        drop(known);
        watch
    }

    /// What a look-up that begins now must find; `None` if nothing is compared this time.
    pub(crate) fn before_look_up(&self, scope: Scope<'_>) -> Option<Expectation> {
        if self.folder.is_none() || !shows_newest_events(scope) {
            return None;
        }
        let mut known = self.lock();
        if known.compared_at.is_some_and(|at| at.elapsed() < INTERVAL) {
            return None;
        }
        known.compared_at = Some(Instant::now());
        Some(known.expectation())
    }

    /// What an act that begins now must find; `None` if the act depends on no history.
    pub(crate) fn before_act(&self, scope: Scope<'_>) -> Option<Expectation> {
        if self.folder.is_none() || matches!(scope, Scope::Run(_)) {
            return None;
        }
        Some(self.lock().expectation())
    }

    /// Takes note of what a look-up found, and warns of a change.
    pub(crate) fn after_look_up(&self, found: Found, backend: &dyn Backend) {
        match found.change {
            None => self.saw(found.head, backend),
            Some(change) => {
                let mut known = self.lock();
                if known.change.as_ref() != Some(&change) {
                    let text = format!(
                        "warning: {}: {change}; `herdbook verify` tells what to do",
                        self.name
                    );
                    self.notices.say(Level::Warning, &text);
                }
                known.change = Some(change);
            }
        }
    }

    /// Takes note of an end that was seen committed.
    pub(crate) fn saw(&self, head: HeadOnRecord, backend: &dyn Backend) {
        if self.folder.is_none() {
            return;
        }
        let identity = backend.identity();
        let mut known = self.lock();
        if known.change.is_some() || known.former.is_some() || known.is_damaged {
            return;
        }
        if known.identity.store_id.is_none() {
            known.identity = identity;
        }
        let is_newer = known.seen.as_ref().is_none_or(|seen| seen.event < head.event);
        if is_newer && head.event > 0 {
            known.seen = Some(head);
            known.is_dirty = true;
        }
        if known.is_dirty && known.written_at.is_none_or(|at| at.elapsed() >= WRITE_INTERVAL) {
            self.save(&mut known);
        }
    }

    /// Remembers an end in place of one that it contradicts.
    pub(crate) fn accept(&self, head: HeadOnRecord) {
        let mut known = self.lock();
        known.change = None;
        known.former = None;
        known.is_damaged = false;
        known.seen = Some(head);
        known.is_dirty = true;
        self.save(&mut known);
    }

    /// Takes note of the id and the history of a store that was relocated.
    pub(crate) fn relocated(&self, store_id: &str, head: HeadOnRecord) {
        self.lock().identity.store_id = Some(store_id.to_owned());
        self.accept(head);
    }

    /// Another place at which a store with this id was last seen, if there still is a file.
    pub(crate) fn twin(&self) -> Option<String> {
        self.lock().twin.clone()
    }

    /// The difference between the history and the remembered end, if a look-up found one.
    pub(crate) fn change(&self) -> Option<HistoryChange> {
        self.lock().change.clone()
    }

    fn load(&self, known: &mut Known) {
        let Some(folder) = &self.folder else { return };
        let place = known.identity.place.clone().unwrap_or_default();
        let at_place = self.read(folder, Key::Place(&place), known);
        let store = known.identity.store_id.clone();
        let mut of_store = store.as_deref().and_then(|id| self.read(folder, Key::Store(id), known));
        // The memory of the original does not bind its copies.
        if let Some(memory) =
            of_store.take_if(|memory| memory.place != place && Path::new(&memory.place).is_file())
        {
            known.twin = Some(memory.place);
        }
        let (same, other) = match at_place {
            Some(memory) if Some(&memory.store) == store.as_ref() => (Some(memory), None),
            other => (None, other),
        };
        let newest = [of_store, same].into_iter().flatten().max_by_key(|memory| memory.head.event);
        known.seen = newest.map(|memory| memory.head);
        let other = other.filter(|memory| memory.head.event > 0);
        // A store that was moved away is no loss here.
        known.former = other
            .filter(|other| {
                let moved = self.read(folder, Key::Store(&other.store), known);
                moved.is_none_or(|memory| memory.place == place)
            })
            .map(|memory| memory.head);
        known.is_damaged &= known.seen.is_none() && known.former.is_none();
    }

    fn read(&self, folder: &Path, key: Key<'_>, known: &mut Known) -> Option<Memory> {
        folder::read(folder, key).unwrap_or_else(|error| {
            known.is_damaged |= error.kind() == std::io::ErrorKind::InvalidData;
            self.complain(known, "be read", folder, &error);
            None
        })
    }

    fn save(&self, known: &mut Known) {
        let Some(folder) = &self.folder else { return };
        let (Some(store), Some(place), Some(head)) =
            (&known.identity.store_id, &known.identity.place, &known.seen)
        else {
            return;
        };
        let memory = Memory::new(store, place, head.clone());
        let written = folder::write(folder, Key::Store(store), &memory)
            .and_then(|()| folder::write(folder, Key::Place(place), &memory));
        known.is_dirty = false;
        known.written_at = Some(Instant::now());
        if let Err(error) = written {
            self.complain(known, "be written", folder, &error);
        }
    }

    /// Says once that the memory cannot be used. The command goes on without it.
    fn complain(&self, known: &mut Known, what: &str, folder: &Path, error: &std::io::Error) {
        if !std::mem::replace(&mut known.has_complained, true) {
            let text = format!(
                "note: the end of the history cannot {what} in `{}` ({error}), so a history that is changed \
                 outside herdbook may go unnoticed; `XDG_STATE_HOME` names another folder",
                folder.display()
            );
            self.notices.say(Level::Note, &text);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn expectation(&self) -> Expectation {
        Expectation {
            seen: self.seen.clone(),
            former: self.former.clone(),
            is_damaged: self.is_damaged,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut known = std::mem::take(&mut *self.lock());
        if known.is_dirty {
            self.save(&mut known);
        }
    }
}
