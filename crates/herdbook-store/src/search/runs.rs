//! Look-ups of runs: one, those with a tag, those in training.

use std::collections::BTreeMap;

use herdbook_domain::RunId;

use crate::engine::db::{Conn, params};
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::metric;
use crate::tables::run::{RunRecord, load};

impl Store {
    /// The last step of each metric of a run.
    ///
    /// # Errors
    /// Those of the database.
    pub fn logged_steps(&self, run_id: &RunId) -> Result<BTreeMap<String, i64>, StoreError> {
        self.read(|conn| metric::last_steps(conn, run_id))
    }

    /// One run, deleted or not.
    ///
    /// # Errors
    /// [`StoreError::NoSuchRun`].
    pub fn run(&self, run_id: &RunId) -> Result<RunRecord, StoreError> {
        self.read(|conn| load(conn, run_id))
    }

    /// The runs with this value of a tag, oldest first; deleted ones are not among them.
    ///
    /// # Errors
    /// Those of the database.
    pub fn runs_with_tag(&self, key: &str, value: &str) -> Result<Vec<RunRecord>, StoreError> {
        self.read(|conn| {
            let sql = format!(
                "SELECT r.run_uuid FROM tags t JOIN runs r USING (run_uuid)
                 WHERE t.key = ?1 AND {} AND r.lifecycle_stage = 'active'
                 ORDER BY r.start_time, r.run_uuid",
                conn.dialect().tag_is("t.value", "?2")
            );
            let ids: Vec<String> =
                conn.query(&sql, params![key, value], |row| Ok(row.shown(0)?.unwrap_or_default()))?;
            load_all(conn, &ids)
        })
    }

    /// The runs that have a lease and the status RUNNING, newest first.
    ///
    /// # Errors
    /// Those of the database.
    pub fn running(&self) -> Result<Vec<RunRecord>, StoreError> {
        self.read(|conn| {
            let ids: Vec<String> = conn.query(
                "SELECT r.run_uuid FROM herdbook_leases l CROSS JOIN runs r
                 WHERE r.run_uuid = l.run_uuid AND r.status = 'RUNNING' AND r.lifecycle_stage = 'active'
                 ORDER BY r.start_time DESC, r.run_uuid",
                params![],
                |row| Ok(row.shown(0)?.unwrap_or_default()),
            )?;
            load_all(conn, &ids)
        })
    }
}

/// Loads runs by their ids. MLflow gives every run an id that can be parsed; a run with another id cannot be requested here.
/// A run whose row cannot be read is left out; the doctor reports it.
fn load_all(conn: &Conn, ids: &[String]) -> Result<Vec<RunRecord>, StoreError> {
    let ids = ids.iter().filter_map(|id| RunId::parse(id).ok());
    ids.map(|id| load(conn, &id))
        .filter(|run| !matches!(run, Err(StoreError::BrokenRecord { .. })))
        .collect()
}
