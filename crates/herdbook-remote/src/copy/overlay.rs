//! Sets the values that the journal requires in the copy, in place of the server's.

use std::collections::{BTreeMap, BTreeSet};

use herdbook_store::StoreError;
use rusqlite::Connection;

use crate::client::Client;
use crate::client::wire::value_of;
use crate::copy::lease;
use crate::copy::records::{Extent, Records};
use crate::copy::tables::{self, Subject};
use crate::journal::changes::{Field, Step};
use crate::journal::fold::{Fold, Verdict};
use crate::journal::subjects::Subjects;
use crate::projection;

/// Values that the journal requires and the server does not have yet.
#[derive(Debug, Default)]
pub(crate) struct Unwritten {
    changes: BTreeMap<Field, Step>,
    /// Registered versions that are still marked as pending.
    pending: Vec<(String, i64)>,
    /// Runs that have ended and still have a lease.
    leases: Vec<String>,
}

impl Unwritten {
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.pending.is_empty() && self.leases.is_empty()
    }

    /// The models, versions and runs that the values belong to.
    pub(crate) fn subjects(&self) -> Subjects {
        let mut subjects = Subjects::of(self.changes.keys());
        subjects.versions.extend(self.pending.iter().cloned());
        subjects.runs.extend(self.leases.iter().cloned());
        subjects
    }

    /// Writes the values to the server.
    ///
    /// # Errors
    /// Those of reaching the server.
    pub(crate) fn write(&self, client: &Client) -> Result<(), StoreError> {
        projection::write(client, &self.changes)?;
        for (name, version) in &self.pending {
            client.delete_version_tag(name, *version, tables::PENDING)?;
        }
        for run_id in &self.leases {
            client.delete_run_tag(run_id, lease::TAG)?;
        }
        Ok(())
    }
}

/// Sets every value in the copy that the journal requires, and returns those that the server does not have.
///
/// `n_before` acts were known when the records were fetched. The server's values of the first `n_settled` acts are kept.
///
/// # Errors
/// Those of SQLite.
pub(crate) fn apply(
    conn: &Connection,
    fold: &Fold,
    records: &Records,
    n_before: usize,
    n_settled: usize,
) -> Result<Unwritten, StoreError> {
    let subjects = match records.extent {
        Extent::Whole => {
            tables::add_deleted(conn, fold, n_before)?;
            Subjects::of(fold.fields())
        }
        Extent::Part => records.subjects(),
    };
    let mut changes = BTreeMap::new();
    for field in fold.fields_of(&subjects) {
        let held = tables::held(conn, field)?;
        let Verdict::Stale { right } = fold.verdict(field, held.value.as_deref()) else {
            continue;
        };
        let is_open = match held.subject {
            Subject::Missing => false,
            // Only the journal knows which values it had.
            Subject::Deleted => true,
            Subject::There => fold.last_act(field) > n_settled,
        };
        if !is_open || !is_same_version(conn, fold, field)? || fold.was_renamed_since(field) {
            continue;
        }
        tables::set(conn, field, right)?;
        if held.subject == Subject::There && !records.by_journal.holds(field) {
            changes.insert(field.clone(), Step(held.value, right.map(ToOwned::to_owned)));
        }
    }
    let pending = records
        .versions
        .iter()
        .filter(|version| value_of(&version.tags, tables::PENDING).is_some())
        .map(|version| (version.name.clone(), version.number()))
        .filter(|(name, version)| fold.is_registered(name, *version))
        .collect();
    tables::add_leases_of_resumed(conn)?;
    let leases = end_leases(conn, fold, &subjects.runs, n_settled)?;
    Ok(Unwritten { changes, pending, leases })
}

/// Removes the leases of runs that the journal ended: the process that ended them may have died before it removed the
/// lease.
fn end_leases(
    conn: &Connection,
    fold: &Fold,
    runs: &BTreeSet<String>,
    n_settled: usize,
) -> Result<Vec<String>, StoreError> {
    let mut ended = Vec::new();
    for run in runs {
        let field = Field::RunStatus { run: run.clone() };
        let held = tables::held(conn, &field)?;
        let is_ours = matches!(fold.verdict(&field, held.value.as_deref()), Verdict::Right);
        // MLflow refuses changes of a deleted run: its tag remains, and has no meaning.
        let is_deleted = held.subject == Subject::Deleted;
        let is_over = is_ours && (is_deleted || fold.last_act(&field) > n_settled);
        if is_over && tables::end_lease(conn, run)? && !is_deleted {
            ended.push(run.clone());
        }
    }
    Ok(ended)
}

/// Whether a field belongs to the version that the journal means, not to one of the same number that was created after
/// the registered model had been deleted.
fn is_same_version(conn: &Connection, fold: &Fold, field: &Field) -> Result<bool, StoreError> {
    let (Field::VersionTag { name, version, .. } | Field::VersionStage { name, version }) = field
    else {
        return Ok(true);
    };
    match (fold.run_of(name, *version), tables::run_of(conn, name, *version)?) {
        (Some(by_journal), Some(found)) => Ok(by_journal == found),
        _ => Ok(true),
    }
}
