//! Finds a run by the beginning of its id, as people copy it from a table.

use std::collections::BTreeSet;

use herdbook_domain::{RunId, RunPrefix, VersionKey};

use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::version::VersionRecord;

/// How many runs are looked for. An error names all but the last.
const N_CANDIDATES: usize = 6;

impl Store {
    /// The only run whose id begins with these digits. A whole id is returned as it is, without a look-up.
    ///
    /// Runs that were deleted, and runs of which only the history is left, count too: which run is meant must not depend on
    /// the state of another one.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRunPrefix`]; [`StoreError::AmbiguousRun`] if several ids begin with these digits.
    pub fn run_id_of(&self, prefix: &RunPrefix) -> Result<RunId, StoreError> {
        if let Some(run_id) = prefix.whole() {
            return Ok(run_id);
        }
        let mut ids = self.read(|conn| run_ids(conn, prefix))?;
        if ids.len() < N_CANDIDATES {
            ids.extend(self.backend().run_ids(prefix)?);
        }
        let mut candidates: Vec<RunId> =
            ids.iter().filter_map(|id| RunId::parse(id).ok()).collect();
        match candidates.len() {
            0 => Err(StoreError::NoSuchRunPrefix { prefix: prefix.clone() }),
            1 => Ok(candidates.remove(0)),
            n => {
                let has_more = n >= N_CANDIDATES;
                candidates.truncate(N_CANDIDATES - 1);
                Err(StoreError::AmbiguousRun { prefix: prefix.clone(), candidates, has_more })
            }
        }
    }

    /// The version with this key, or the run whose id begins with the same digits. If both exist, fewer digits than tables show
    /// of a run id mean the version.
    ///
    /// # Errors
    /// [`StoreError::VersionOrRun`] if both exist and the digits are as many as tables show; those of [`Store::version`] if
    /// neither exists; [`StoreError::AmbiguousRun`].
    pub fn version_or_run(
        &self,
        key: &VersionKey,
        prefix: &RunPrefix,
    ) -> Result<VersionOrRun, StoreError> {
        let version = match self.version(key) {
            Ok(found) if prefix.is_shorter_than_printed() => {
                return Ok(VersionOrRun::Version(Box::new(found)));
            }
            Err(
                error @ (StoreError::NoSuchVersion { .. }
                | StoreError::NoSuchModel { .. }
                | StoreError::DeletedVersion { .. }),
            ) => Err(error),
            found => Ok(found?),
        };
        match (version, self.run_id_of(prefix)) {
            (Ok(_), Ok(run_id)) => Err(StoreError::VersionOrRun { key: key.clone(), run_id }),
            (Err(_), Ok(run_id)) => Ok(VersionOrRun::Run(run_id)),
            (version, Err(StoreError::NoSuchRunPrefix { .. })) => {
                Ok(VersionOrRun::Version(Box::new(version?)))
            }
            (_, Err(error)) => Err(error),
        }
    }
}

/// What digits name that can be a version number or the beginning of a run id.
#[derive(Debug, Clone)]
pub enum VersionOrRun {
    /// The version with this number.
    Version(Box<VersionRecord>),
    /// The run whose id begins with the digits.
    Run(RunId),
}

/// The first ids with a beginning, of the runs and of the history. Both columns have an index.
fn run_ids(conn: &Conn, prefix: &RunPrefix) -> Result<BTreeSet<String>, StoreError> {
    let sql = format!(
        "SELECT r.run_uuid FROM runs r WHERE r.run_uuid >= ?1 AND r.run_uuid < ?2
         UNION SELECT e.run_id FROM herdbook_events e WHERE e.run_id >= ?1 AND e.run_id < ?2
         ORDER BY 1 LIMIT {N_CANDIDATES}"
    );
    let ids =
        conn.query(&sql, params![prefix.as_str(), prefix.end()], |row| row.readable::<String>(0))?;
    Ok(ids.into_iter().flatten().collect())
}
