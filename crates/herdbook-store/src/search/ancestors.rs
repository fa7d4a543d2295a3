//! Ancestors: the chain of parents by the history, or by the tags of runs without one.

use std::collections::BTreeSet;

use herdbook_domain::tags::key;
use herdbook_domain::{EventKind, RunId, Timeframe, Windows};

use crate::engine::db::Conn;
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::event::{self, EventQuery};
use crate::tables::run::{self, RunRecord};

impl Store {
    /// The ancestors of a run, its parent first. The chain ends with `None` at a parent that is not on record, or that was in the
    /// chain before.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`] if the run itself is not on record.
    pub fn ancestors(&self, run_id: &RunId) -> Result<Vec<Option<RunRecord>>, StoreError> {
        loop {
            let (ancestors, missing) = self.known_ancestors(run_id)?;
            // A backend that holds a part of the records only may have to fetch the run first.
            match missing {
                Some(id) if self.backend().request_run(&id) => {}
                _ => return Ok(ancestors),
            }
        }
    }

    /// The ancestors that the backend holds, and the first one that it does not.
    fn known_ancestors(
        &self,
        run_id: &RunId,
    ) -> Result<(Vec<Option<RunRecord>>, Option<RunId>), StoreError> {
        self.read(|conn| ancestors_in(conn, run_id))
    }
}

/// As [`Store::ancestors`], in an open transaction; and the first ancestor that is not on record.
///
/// # Errors
/// As [`Store::ancestors`].
pub(crate) fn ancestors_in(
    conn: &Conn,
    run_id: &RunId,
) -> Result<(Vec<Option<RunRecord>>, Option<RunId>), StoreError> {
    let (mut ancestors, mut missing) = (Vec::new(), None);
    let mut seen = BTreeSet::from([run_id.clone()]);
    let mut parent = parent_of(conn, &run::load(conn, run_id)?)?;
    while let Some(id) = parent {
        let record = match RunId::parse(&id) {
            Ok(id) if seen.insert(id.clone()) => match run::load(conn, &id) {
                Ok(record) => Some(record),
                Err(StoreError::NoSuchRun { run_id }) => {
                    missing = Some(run_id);
                    None
                }
                Err(error) => return Err(error),
            },
            _ => None,
        };
        parent = match &record {
            Some(record) => parent_of(conn, record)?,
            None => None,
        };
        ancestors.push(record);
    }
    Ok((ancestors, missing))
}

/// The parent of a run: by its registration or start, which are in the log for good; otherwise by its tag.
fn parent_of(conn: &Conn, run: &RunRecord) -> Result<Option<String>, StoreError> {
    for kind in [EventKind::Registered, EventKind::RunStarted] {
        let (run_id, kind) = (Some(run.run_id.clone()), Some(kind));
        let events = event::select(conn, &EventQuery { run_id, kind, ..EventQuery::default() })?;
        if let Some(parent) = events.into_iter().rev().find_map(|event| event.what.parent) {
            return Ok(Some(parent.to_string()));
        }
    }
    Ok(run.tags.get(key::BASE_MODEL_RUN_ID).cloned())
}

impl RunRecord {
    /// The windows that the run was trained, validated and tested on, by its seal, or without a seal by its params; `None` if
    /// they are not recorded.
    pub fn windows(&self) -> Option<Windows> {
        if let Some(seal) = &self.seal {
            return seal.facts.windows();
        }
        let timeframe: Timeframe = self.tags.get(key::TIMEFRAME)?.parse().ok()?;
        Windows::from_params(timeframe, &self.params)
    }
}
