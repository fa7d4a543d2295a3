//! Relocation: checks the files of a store that was moved or copied, and then updates MLflow's artifact locations and the
//! recorded place in one act.

mod locations;
mod plan;
pub(crate) mod request;

use std::path::Path;

use herdbook_domain::{EventDraft, EventKind};
use serde_json::json;

use self::plan::Plan;
use self::request::{RelocateRequest, Relocation};
use crate::acts::relocation::locations::write_location;
use crate::clock::{new_id, now};
use crate::engine::backend::{Effect, Scope, View};
use crate::engine::place::recorded::{self, Recorded};
use crate::engine::place::sqlite::is_same_file;
use crate::engine::place::state::PlaceState;
use crate::error::StoreError;
use crate::history_change::HeadOnRecord;
use crate::session::{Act, Session};

/// How often the files are checked again because another process changed the records meanwhile.
const ATTEMPTS: usize = 5;
/// Problems that an error and an event name one by one.
const N_NAMED: usize = 20;

impl Session {
    /// Checks every registered file at its new place, and then updates all artifact locations and the recorded place, in one
    /// act with one event. The store must be opened again afterwards. A dry run changes nothing, and returns the problems
    /// that would prevent it.
    ///
    /// # Errors
    /// [`StoreError::CannotRelocate`] with every problem; [`StoreError::Copied`] for a copy that is to keep its id; [`StoreError::UnsupportedUri`] if the store is on a server;
    /// [`StoreError::HistoryChanged`].
    pub fn relocate(
        &self,
        request: &RelocateRequest,
        effect: Effect,
    ) -> Result<Relocation, StoreError> {
        let identity = self.store().backend().identity();
        let Some(here) = identity.place else {
            return Err(StoreError::UnsupportedUri {
                uri: self.location().uri(),
                rule: "the place of this store is not known to herdbook: a server decides itself where its artifacts are"
                    .to_owned(),
            });
        };
        if let (Some(twin), false) = (self.twin(), request.is_copy) {
            return Err(StoreError::Copied { original: twin, copy: here });
        }
        if let PlaceState::Copied { original, copy } = self.place()
            && is_same_file(Path::new(original), Path::new(copy))
        {
            return Err(StoreError::CannotRelocate {
                problems: vec![format!(
                    "`{copy}` is a hard link to `{original}`, not a copy of it: replace it by a copy"
                )],
            });
        }
        // At home there is nothing to make a store of its own of.
        if request.is_copy && *self.place() == PlaceState::Home {
            let store_id = identity.store_id.unwrap_or_default();
            return Ok(Relocation { store_id, ..Relocation::default() });
        }
        let store_id = match identity.store_id {
            Some(id) if !request.is_copy => id,
            _ => new_id(),
        };
        for _ in 0..ATTEMPTS {
            let plan = self.read_as_it_stands(|conn| Plan::of(conn, self.store(), request))?;
            let mut relocation = plan.check_files(store_id.clone());
            relocation.is_needed |= *self.place() != PlaceState::Home;
            if effect == Effect::DryRun || !relocation.is_needed {
                return Ok(relocation);
            }
            if !relocation.problems.is_empty() && request.force.is_none() {
                return Err(StoreError::CannotRelocate { problems: named(&relocation.problems) });
            }
            if self.carry_out(request, &plan, &relocation, &here)? {
                return Ok(relocation);
            }
        }
        Err(StoreError::Busy { store: self.location().name(), waited_s: 0 })
    }

    /// Another store with the same id that exists.
    fn twin(&self) -> Option<String> {
        match self.place() {
            PlaceState::Copied { original, .. } => Some(original.clone()),
            _ => self.watch().twin(),
        }
    }

    /// Updates the records. Returns false if they changed since the files were checked.
    fn carry_out(
        &self,
        request: &RelocateRequest,
        plan: &Plan,
        relocation: &Relocation,
        here: &str,
    ) -> Result<bool, StoreError> {
        let scope = Scope::Everything(View::AsItStands);
        let expectation = self.watch().before_act(scope);
        let head = self.write_unguarded(scope, Effect::Commit, |act| {
            act.hold_everything()?;
            if let Some(change) = match &expectation {
                Some(expectation) => expectation.compare(act.tx)?.change,
                None => None,
            } {
                let store = self.location().name();
                return Err(StoreError::HistoryChanged { store, change: Box::new(change) });
            }
            if Plan::of(act.tx, self.store(), request)? != *plan {
                return Ok(None);
            }
            write(act, request, plan, relocation, here).map(Some)
        })?;
        if let Some(head) = &head {
            self.watch().relocated(&relocation.store_id, head.clone());
        }
        Ok(head.is_some())
    }
}

fn write(
    act: &Act<'_>,
    request: &RelocateRequest,
    plan: &Plan,
    relocation: &Relocation,
    here: &str,
) -> Result<HeadOnRecord, StoreError> {
    for (location, text) in plan.updates() {
        write_location(act.tx, location, text)?;
    }
    let before = recorded::read(act.tx)?;
    let after = Recorded { store_id: relocation.store_id.clone(), database: here.to_owned() };
    recorded::write(act.tx, &after)?;
    let details = json!({
        "v": 1,
        "copy": request.is_copy,
        "moves": relocation.moves,
        "locations": relocation.locations,
        "files_checked": relocation.n_files,
        "overridden": named(&relocation.problems),
        "from": before.as_ref().map(|it| json!({"store_id": it.store_id, "place": it.database})),
        "to": {"store_id": after.store_id, "place": after.database},
    });
    let draft = EventDraft {
        reason: request.force.as_ref().map(ToString::to_string),
        ..EventDraft::new(EventKind::Relocated, &details)
    };
    let events = act.append(now(), [draft])?;
    let last = events.last().expect("an event was appended");
    Ok(HeadOnRecord { event: last.id, hash: last.hash.clone() })
}

/// The first problems, and how many there are besides.
fn named(problems: &[String]) -> Vec<String> {
    let mut named: Vec<String> = problems.iter().take(N_NAMED).cloned().collect();
    if problems.len() > N_NAMED {
        named.push(format!("and {} more", problems.len() - N_NAMED));
    }
    named
}
