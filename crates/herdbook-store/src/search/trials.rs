//! Evidence about versions: evaluations after training, and the trials that a result was selected from.

use std::collections::{BTreeMap, BTreeSet};

use herdbook_domain::{
    Evaluation, EventKind, RunId, RunResult, Seal, Standing, Timestamp, VersionKey, window_params,
};

use crate::engine::backend::Scope;
use crate::engine::db::params;
use crate::error::StoreError;
use crate::search::known_closes::TrainingCloses;
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

    /// The SHA-256 of the files that a training stored with its result, by their path among the artifacts of its run, as sealed
    /// when it ended. Runs of older builds sealed fewer, or none.
    ///
    /// # Errors
    /// Those of [`Store::run_result`].
    pub fn sealed_files(&self, run_id: &RunId) -> Result<BTreeMap<String, String>, StoreError> {
        if let Some(result) = self.run_result(run_id)? {
            return Ok(result.test.files);
        }
        let registered = self.read_in(Scope::History, |conn| {
            let asked = params![run_id.as_str()];
            event::of_kinds(conn, &[EventKind::Registered], "run_id = ?1", asked)
        })?;
        let mut seals = registered.iter().filter(|event| event.compute_hash() == event.hash);
        let test = seals.find_map(|event| Seal::of(event).ok().flatten()?.facts.test);
        Ok(test.map(|test| test.files).unwrap_or_default())
    }

    /// The trials that a query asks for, oldest first. Runs of every registered model count, and also those that were never
    /// registered, or were deleted through MLflow.
    ///
    /// # Errors
    /// Those of the database.
    pub fn trials(&self, query: &TrialQuery) -> Result<Vec<RecordedTrial>, StoreError> {
        self.read(|conn| trial::select(conn, query))
    }

    /// The files of closes of all trainings, each content once, those of the newest runs first. Runs count as in
    /// [`Store::trials`], also those that were removed for good: the history knows the hash of their file.
    ///
    /// # Errors
    /// Those of the database.
    pub fn training_closes(&self) -> Result<Vec<TrainingCloses>, StoreError> {
        let all = self.read(|conn| {
            let sql = "SELECT c.run_uuid, c.value FROM params c CROSS JOIN runs r
                 WHERE c.key = ?1 AND r.run_uuid = c.run_uuid ORDER BY r.start_time DESC, r.run_uuid";
            let mut all = conn.query(sql, params![window_params::CLOSES_SHA256], |row| {
                Ok((row.shown(0)?.and_then(|id| RunId::parse(&id).ok()), row.shown(1)?))
            })?;
            let removed = trial::removed(conn)?.into_iter();
            all.extend(removed.map(|trial| (Some(trial.run_id), trial.closes_sha256)));
            Ok(all)
        })?;
        let mut newest: Vec<TrainingCloses> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for (run_id, sha256) in all {
            let (Some(run_id), Some(sha256)) = (run_id, sha256) else { continue };
            let place = *places.entry(sha256.clone()).or_insert(newest.len());
            if place == newest.len() {
                newest.push(TrainingCloses { sha256, run_ids: Vec::new() });
            }
            newest[place].run_ids.push(run_id);
        }
        Ok(newest)
    }

    /// The trials on bars with one of these files of closes, by its SHA-256; oldest first. Runs count as in [`Store::trials`].
    ///
    /// # Errors
    /// Those of the database.
    pub fn trials_with_closes(
        &self,
        sha256: &BTreeSet<String>,
    ) -> Result<Vec<RecordedTrial>, StoreError> {
        self.read(|conn| trial::with_closes(conn, sha256))
    }
}
