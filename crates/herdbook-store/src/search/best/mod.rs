//! Finding registered models: the newest and the best by a metric.
//!
//! [`candidates`] says which versions take part. A look-up then runs the first plan of its list, and the next one only if
//! the first one does not decide:
//!
//! | look-up | plan | runs | fast because |
//! | --- | --- | --- | --- |
//! | newest | [`newest::walk_from_newest`] | always | it looks at the newest 250 versions only |
//! | | [`newest::intersect_tags`] | if none of the 250 matches and there are more | it starts from the runs with both tags |
//! | best | [`by_metric::walk_from_best_value`] | always | it looks at the best 250 values only and stops at the first match |
//! | | [`by_metric::intersect_tags`] | if none of the 250 matches and there are more | it starts from the runs with both tags |
//! | | [`by_metric::ended_not_finite`] | always, as well | runs whose last value is NaN or infinite are few |
//! | same data? | [`comparable::others_exist`] | if the best run has a fingerprint of its data | it seeks in an index of fingerprints |
//! | | [`comparable::differing_params`] | if there is no fingerprint, or another one | it is the only slow plan: it reads every candidate |
//!
//! No plan relies on statistics: MLflow never runs `ANALYZE`. In SQLite a `CROSS JOIN` keeps the tables in the written
//! order, so each statement names the table that it walks first. PostgreSQL keeps it by `join_collapse_limit = 1`.

mod by_metric;
pub(crate) mod candidates;
mod comparable;
mod newest;
mod walk;

use herdbook_domain::MetricName;

use self::by_metric::Scored;
use self::candidates::{Candidates, Condition, Registrations};
use self::walk::Walked;
use crate::engine::backend::Scope;
use crate::engine::db::Conn;
use crate::engine::opening::Opened;
use crate::engine::schema;
use crate::error::StoreError;
use crate::store::Store;
use crate::tables::metric::MetricSelection;
use crate::tables::tag;
use crate::tables::version::{self, VersionRecord};

/// The best of the candidates.
#[derive(Debug, Clone)]
pub struct Best {
    /// The model.
    pub version: VersionRecord,
    /// The last finite value of the metric asked for.
    pub value: f64,
    /// Names of the params about their data in which the candidates differ; empty if their values can be compared.
    pub differing: Vec<String>,
}

impl Store {
    /// The newest candidate: the latest registration, then the higher version.
    ///
    /// # Errors
    /// Those of the database.
    pub fn find_latest(
        &self,
        candidates: &Candidates,
    ) -> Result<Option<VersionRecord>, StoreError> {
        if self.backend().hides_what_is_out_of_scope() {
            let among_newest = self.read_in(Scope::Newest, |conn| {
                let condition = self.condition(conn, candidates)?;
                match newest::walk_from_newest(conn, &condition)? {
                    Walked::Found(record) => with_details(conn, record).map(Some),
                    Walked::ToTheEnd | Walked::ToTheLimit => Ok(None),
                }
            })?;
            if among_newest.is_some() {
                return Ok(among_newest);
            }
        }
        self.read(|conn| {
            let condition = self.condition(conn, candidates)?;
            let found = match newest::walk_from_newest(conn, &condition)? {
                Walked::Found(record) => Some(record),
                Walked::ToTheEnd => None,
                Walked::ToTheLimit => newest::intersect_tags(conn, &condition)?,
            };
            found.map(|record| with_details(conn, record)).transpose()
        })
    }

    /// The best candidate by the last finite value of a metric; ties go to the newer. A candidate whose run
    /// never logged a finite value of it does not take part.
    ///
    /// # Errors
    /// Those of the database.
    pub fn find_best(
        &self,
        candidates: &Candidates,
        metric: &MetricName,
    ) -> Result<Option<Best>, StoreError> {
        self.read(|conn| {
            let condition = self.condition(conn, candidates)?;
            let mut best = match by_metric::walk_from_best_value(conn, &condition, metric)? {
                Walked::Found(scored) => Some(scored),
                Walked::ToTheEnd => None,
                Walked::ToTheLimit => by_metric::intersect_tags(conn, &condition, metric)?,
            };
            for scored in by_metric::ended_not_finite(conn, &condition, metric)? {
                if best.as_ref().is_none_or(|best| scored.beats(best, metric)) {
                    best = Some(scored);
                }
            }
            let Some(Scored { record, value }) = best else { return Ok(None) };
            let run_id = record.run_id.as_ref();
            let differing = comparable::differing_data(conn, &condition, metric, run_id)?;
            Ok(Some(Best { version: with_details(conn, record)?, value, differing }))
        })
    }

    fn condition(&self, conn: &Conn, candidates: &Candidates) -> Result<Condition, StoreError> {
        let is_in_table = self.opened() != Opened::ReadOnly || schema::has_registrations(conn)?;
        let registrations = if is_in_table { Registrations::Table } else { Registrations::Log };
        Ok(Condition::new(candidates, registrations))
    }
}

/// Adds the tags of a version and the metrics of its run.
fn with_details(conn: &Conn, mut record: VersionRecord) -> Result<VersionRecord, StoreError> {
    record.tags = tag::of_version(conn, &record.key)?;
    version::add_metrics(conn, &mut record, MetricSelection::All)?;
    Ok(record)
}
