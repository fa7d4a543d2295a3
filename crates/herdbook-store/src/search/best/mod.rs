//! Finding registered models: the newest and the best by a metric.
//!
//! [`candidates`] says which versions take part. A look-up then runs the first plan of its list, and the next one only if
//! the first one does not decide:
//!
//! | look-up | plan | runs | fast because |
//! | --- | --- | --- | --- |
//! | newest | [`newest::walk_from_newest`] | always | it looks at the newest 250 versions only |
//! | | [`newest::intersect_kinds`] | if none of the 250 matches and there are more | it starts from the models of the kind |
//! | best | [`by_metric::walk_from_best_value`] | always | it looks at the best 250 values only and stops at the first match |
//! | | [`by_metric::intersect_kinds`] | if none of the 250 matches and there are more | it starts from the models of the kind |
//! | | [`by_metric::ended_not_finite`] | always, as well | runs whose last value is NaN or infinite are few |
//! | same data? | [`comparable::others_exist`] | if the best model has a fingerprint of its data | it seeks in an index of fingerprints |
//! | | [`comparable::differing_params`] | if there is no fingerprint, or another one | sealed models: it compares one model per fingerprint |
//!
//! Each plan is carried out twice: for versions with a seal, whose values are those of the seal, and for versions without one,
//! whose values are MLflow's. Of the latter only values matter that are at least as good as the best sealed one.
//!
//! No plan relies on statistics: MLflow never runs `ANALYZE`. In SQLite a `CROSS JOIN` keeps the tables in the written
//! order, so each statement names the table that it walks first. PostgreSQL keeps it by `join_collapse_limit = 1`.

mod by_metric;
pub(crate) mod candidates;
mod comparable;
mod newest;
mod walk;

use herdbook_domain::MetricName;

use self::by_metric::{Scored, Values};
use self::candidates::{Candidates, Condition, Registrations, Seals};
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
                Walked::ToTheLimit => newest::intersect_kinds(conn, &condition)?,
            };
            found.map(|record| with_details(conn, record)).transpose()
        })
    }

    /// The best candidate by the sealed value of a metric, or by the last finite one of a version without a seal; ties go to
    /// the newer. A candidate without such a value does not take part.
    ///
    /// # Errors
    /// Those of the database; [`StoreError::BrokenRecord`] if the tables of seals differ from the history.
    pub fn find_best(
        &self,
        candidates: &Candidates,
        metric: &MetricName,
    ) -> Result<Option<Best>, StoreError> {
        self.read(|conn| {
            let condition = self.condition(conn, candidates)?;
            let sealed = if condition.has_seals() {
                best_of(conn, &condition, metric, Values::Sealed)?
            } else {
                None
            };
            let at_least = sealed.as_ref().map(|scored| scored.value);
            let unsealed = best_of(conn, &condition, metric, Values::Unsealed { at_least })?;
            let mut best = match (sealed, unsealed) {
                (Some(sealed), Some(unsealed)) if unsealed.beats(&sealed, metric) => Some(unsealed),
                (sealed, unsealed) => sealed.or(unsealed),
            };
            for scored in by_metric::ended_not_finite(conn, &condition, metric)? {
                if best.as_ref().is_none_or(|best| scored.beats(best, metric)) {
                    best = Some(scored);
                }
            }
            let Some(Scored { record, value }) = best else { return Ok(None) };
            let version = with_details(conn, record)?;
            check_seal(&version, metric, value)?;
            let differing = comparable::differing_data(conn, &condition, metric, &version)?;
            Ok(Some(Best { version, value, differing }))
        })
    }

    fn condition(&self, conn: &Conn, candidates: &Candidates) -> Result<Condition, StoreError> {
        let is_read_only = self.opened() == Opened::ReadOnly;
        let is_in_table = !is_read_only || schema::has_registrations(conn)?;
        let registrations = if is_in_table { Registrations::Table } else { Registrations::Log };
        let seals = if self.has_seals(conn)? { Seals::Present } else { Seals::Absent };
        Ok(Condition::new(candidates, registrations, seals))
    }

    /// Whether the store has the tables of seals.
    ///
    /// # Errors
    /// [`StoreError::Schema`] if a read-only store has lost them.
    pub(crate) fn has_seals(&self, conn: &Conn) -> Result<bool, StoreError> {
        if self.opened() != Opened::ReadOnly || schema::has_seals(conn)? {
            return Ok(true);
        }
        if schema::had_seals(conn)? {
            return Err(StoreError::Schema {
                store: self.location().name(),
                problem: "its tables of sealed facts are missing: make it writable and open it, \
                          so that they are filled again"
                    .to_owned(),
            });
        }
        Ok(false)
    }
}

/// The best candidate among the values of one kind.
fn best_of(
    conn: &Conn,
    condition: &Condition,
    metric: &MetricName,
    values: Values,
) -> Result<Option<Scored>, StoreError> {
    match by_metric::walk_from_best_value(conn, condition, metric, values)? {
        Walked::Found(scored) => Ok(Some(scored)),
        Walked::ToTheEnd => Ok(None),
        Walked::ToTheLimit => by_metric::intersect_kinds(conn, condition, metric, values),
    }
}

/// Adds the tags of a version, the metrics of its run and its seal.
fn with_details(conn: &Conn, mut record: VersionRecord) -> Result<VersionRecord, StoreError> {
    record.tags = tag::of_version(conn, &record.key)?;
    version::add_metrics(conn, &mut record, MetricSelection::All)?;
    version::add_seal(conn, &mut record)?;
    Ok(record)
}

/// Fails if the value that was found is not that of the seal: the tables only repeat what the history holds.
fn check_seal(version: &VersionRecord, metric: &MetricName, value: f64) -> Result<(), StoreError> {
    match &version.sealed {
        Some(sealed) if sealed.metrics.get(metric.as_str()) != Some(&value) => {
            Err(StoreError::BrokenRecord {
                what: format!("the table of sealed metrics, {} of {}", metric, version.key),
                problem: "it differs from the history: run `herdbook doctor --repair`".to_owned(),
            })
        }
        _ => Ok(()),
    }
}
