//! Evidence about versions: evaluations after training, and the trials that a result was selected from.

use std::collections::BTreeSet;

use herdbook_domain::{
    Evaluation, EventKind, RunId, RunResult, Standing, Timestamp, VersionKey, window_params,
};

use crate::engine::backend::Scope;
use crate::engine::db::params;
use crate::error::StoreError;
use crate::search::known_closes::KnownCloses;
use crate::store::Store;
use crate::tables::evaluation::{self, RecordedEvaluation};
use crate::tables::event::{self, EventQuery};
use crate::tables::trial::{self, RecordedTrial, TrialQuery};

impl Store {
    /// The evaluations of a version with their times, oldest first.
    ///
    /// # Errors
    /// Those of [`Store::events`].
    pub fn evaluations(
        &self,
        key: &VersionKey,
    ) -> Result<Vec<(Timestamp, Evaluation)>, StoreError> {
        let (name, version) = (Some(key.name.clone()), Some(key.version));
        let kind = Some(EventKind::Evaluated);
        let events = self.events(&EventQuery { name, version, kind, ..EventQuery::default() })?;
        Ok(events.iter().filter_map(|event| Some((event.at, Evaluation::of(event)?))).collect())
    }

    /// The evaluations of all versions of the register, oldest first.
    ///
    /// # Errors
    /// Those of the database.
    pub fn all_evaluations(&self) -> Result<Vec<RecordedEvaluation>, StoreError> {
        self.read_in(Scope::History, evaluation::all)
    }

    /// The evidence for a version among all tries of the register; `None` if it was never evaluated, which
    /// [`Store::evaluations`] tells sooner: over a server this fetches every run.
    ///
    /// # Errors
    /// Those of the database.
    pub fn standing(&self, key: &VersionKey) -> Result<Option<Standing>, StoreError> {
        self.read(|conn| {
            let all = evaluation::all(conn)?;
            evaluation::standing(conn, key, &all)
        })
    }

    /// The evaluations of all versions of the register, oldest first, and the number of the last event.
    ///
    /// # Errors
    /// Those of the database.
    pub fn evaluations_and_last_event(&self) -> Result<(Vec<RecordedEvaluation>, i64), StoreError> {
        self.read_in(Scope::History, |conn| Ok((evaluation::all(conn)?, event::last_id(conn)?)))
    }

    /// The result with which a run ended without registering its model; `None` if it did not, or an older build ended it.
    ///
    /// # Errors
    /// Those of the database; [`StoreError::BrokenRecord`] if the event was altered after it was written.
    pub fn run_result(&self, run_id: &RunId) -> Result<Option<RunResult>, StoreError> {
        let ended = self.read_in(Scope::History, |conn| {
            let asked = params![run_id.as_str()];
            event::of_kinds(conn, &[EventKind::RunEnded], "run_id = ?1", asked)
        })?;
        let found = ended.iter().rev().find_map(|event| Some((event, RunResult::of(event)?)));
        match found {
            Some((event, _)) if event.compute_hash() != event.hash => {
                Err(StoreError::BrokenRecord {
                    what: format!("event {}", event.id),
                    problem: "it was altered after it was written: run `herdbook verify`"
                        .to_owned(),
                })
            }
            found => Ok(found.map(|(_, result)| result)),
        }
    }

    /// The trials that a query asks for, oldest first. Runs of every registered model count, and also those that were never
    /// registered, or were deleted through MLflow.
    ///
    /// # Errors
    /// Those of the database.
    pub fn trials(&self, query: &TrialQuery) -> Result<Vec<RecordedTrial>, StoreError> {
        self.read(|conn| trial::select(conn, query))
    }

    /// The files of closes of all trainings, each content once, that of the newest run first.
    ///
    /// # Errors
    /// Those of the database.
    pub fn training_closes(&self) -> Result<Vec<KnownCloses>, StoreError> {
        let all = self.read(|conn| {
            let sql = "SELECT c.run_uuid, c.value FROM params c CROSS JOIN runs r
                 WHERE c.key = ?1 AND r.run_uuid = c.run_uuid ORDER BY r.start_time DESC, r.run_uuid";
            conn.query(sql, params![window_params::CLOSES_SHA256], |row| {
                let (run_id, sha256): (String, String) = (row.get(0)?, row.get(1)?);
                Ok((run_id, sha256))
            })
        })?;
        let mut newest: Vec<KnownCloses> = Vec::new();
        let mut known = BTreeSet::new();
        for (run_id, sha256) in all {
            if let Ok(run_id) = RunId::parse(&run_id)
                && known.insert(sha256.clone())
            {
                newest.push(KnownCloses { run_id, sha256, is_of_evaluation: false });
            }
        }
        Ok(newest)
    }
}
