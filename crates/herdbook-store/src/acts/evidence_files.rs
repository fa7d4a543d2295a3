//! The files that evidence and reports rest on, compared with the hashes in the history: closes, test returns, details and
//! pictures of trainings, and the closes and the returns of evaluations.

use std::collections::{BTreeMap, BTreeSet};

use herdbook_domain::{Breach, Evaluation, Event, RunId, RunResult, Seal, Subject, VersionKey};

use crate::acts::files::{artifacts_of, hash_at};
use crate::engine::db::params;
use crate::error::StoreError;
use crate::store::Store;

/// A file that evidence or a report rests on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EvidenceFile {
    /// The version that rests on it, and the run that has it.
    pub(crate) subject: Subject,
    pub(crate) run_id: RunId,
    /// Its path among the artifacts of the run.
    pub(crate) artifact: String,
    pub(crate) sha256: String,
}

/// The files that events have sealed, each once.
pub(crate) fn sealed_in(events: &[Event]) -> Vec<EvidenceFile> {
    let mut files: BTreeMap<(RunId, String), EvidenceFile> = BTreeMap::new();
    for event in events {
        let Some(run_id) = &event.what.run_id else { continue };
        let key = event.what.name.clone().zip(event.what.version);
        let key = key.map(|(name, version)| VersionKey { name, version });
        let subject = match &key {
            Some(key) => Subject::of_version(key, Some(run_id)),
            None => Subject { run_id: Some(run_id.clone()), ..Subject::default() },
        };
        for (artifact, sha256) in of_event(event) {
            let (subject, run_id) = (subject.clone(), run_id.clone());
            let place = (run_id.clone(), artifact.clone());
            files.entry(place).or_insert(EvidenceFile { subject, run_id, artifact, sha256 });
        }
    }
    files.into_values().collect()
}

/// Path and SHA-256 of each file that an event seals.
fn of_event(event: &Event) -> Vec<(String, String)> {
    if let Some(evaluation) = Evaluation::of(event) {
        let returns = evaluation.basis.map(|basis| basis.returns_sha256);
        let returns = returns.map(|it| (Evaluation::returns_artifact(&it), it));
        let closes = evaluation.closes_sha256.map(|it| (Evaluation::closes_artifact(&it), it));
        return returns.into_iter().chain(closes).collect();
    }
    let test = match RunResult::of(event) {
        Some(result) => Some(result.test),
        None => Seal::of(event).ok().flatten().and_then(|seal| seal.facts.test),
    };
    test.map(|test| test.files.into_iter().collect()).unwrap_or_default()
}

impl Store {
    /// The sealed files that are missing or altered. Those of a run that was removed for good are not looked for. Must not be
    /// called inside a transaction.
    ///
    /// # Errors
    /// Those of the database, and of reaching a server.
    pub(crate) fn wrong_evidence_files(&self, events: &[Event]) -> Result<Vec<Breach>, StoreError> {
        let files = sealed_in(events);
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let run_ids: BTreeSet<&RunId> = files.iter().map(|file| &file.run_id).collect();
        let locations: BTreeMap<&RunId, Option<String>> = self.read_as_it_stands(|conn| {
            let sql = "SELECT 1 FROM runs WHERE run_uuid = ?1";
            let location = |run_id: &RunId| -> Result<Option<String>, StoreError> {
                let row =
                    conn.query_first(sql, params![run_id.as_str()], |row| row.get::<i64>(0))?;
                row.map(|_| artifacts_of(conn, run_id)).transpose()
            };
            run_ids.iter().map(|run_id| Ok((*run_id, location(run_id)?))).collect()
        })?;
        let mut wrong = Vec::new();
        for file in &files {
            let EvidenceFile { subject, run_id, artifact, sha256 } = file;
            let Some(Some(location)) = locations.get(run_id) else { continue };
            let (state, _) = hash_at(self, run_id.as_str(), location, artifact, Some(sha256))?;
            let problem = state.problem();
            wrong
                .extend(problem.map(|it| Breach::of_evidence_file(subject.clone(), artifact, &it)));
        }
        Ok(wrong)
    }
}
