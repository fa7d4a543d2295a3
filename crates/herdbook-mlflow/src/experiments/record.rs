//! Experiments on record.

use std::collections::BTreeMap;

use herdbook_store::engine::db::{Conn, Row};
use herdbook_store::{Store, StoreError, params};

use crate::error::MlflowError;
use crate::python;
use crate::sql::{Among, text};

/// An experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experiment {
    /// Its number.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Where its runs keep their artifacts.
    pub artifact_location: String,
    /// `active` or `deleted`.
    pub lifecycle_stage: String,
    /// Milliseconds since 1970.
    pub creation_time: Option<i64>,
    /// Milliseconds since 1970.
    pub last_update_time: Option<i64>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
}

/// Looks up an experiment, deleted or not.
///
/// # Errors
/// [`MlflowError::Refused`] if the id is not a number, or no experiment has it; those of the store.
pub fn get(store: &Store, id: &str) -> Result<Experiment, MlflowError> {
    let number = parse_id(id)?;
    let found = store.read(|conn| find(conn, number))?;
    found.ok_or_else(|| no_experiment(number))
}

/// Looks up the experiment of a name, deleted or not.
///
/// # Errors
/// [`MlflowError::Refused`] if there is none; those of the store.
pub fn get_by_name(store: &Store, name: &str) -> Result<Experiment, MlflowError> {
    let found = store.read(|conn| match id_of_name(conn, name)? {
        Some(id) => find(conn, id),
        None => Ok(None),
    })?;
    found.ok_or_else(|| {
        MlflowError::missing(format!("Could not find experiment with name '{name}'"))
    })
}

/// The refusal of a request about an experiment that does not exist.
pub(crate) fn no_experiment(id: i64) -> MlflowError {
    MlflowError::missing(format!("No Experiment with id={id} exists"))
}

/// The number of an experiment's id; that of the default experiment if it is empty.
///
/// # Errors
/// [`MlflowError::Refused`].
pub(crate) fn parse_id(id: &str) -> Result<i64, MlflowError> {
    if id.is_empty() { Ok(0) } else { parse_given_id(id) }
}

/// The number of an experiment's id.
///
/// # Errors
/// [`MlflowError::Refused`].
pub(crate) fn parse_given_id(id: &str) -> Result<i64, MlflowError> {
    let number = python::parse_int(id).ok_or_else(|| {
        MlflowError::invalid(format!(
            "Invalid experiment ID '{id}'. Experiment ID must be a valid integer."
        ))
    })?;
    // No experiment has a number beyond 64 bits.
    Ok(i64::try_from(number).unwrap_or(i64::MIN))
}

/// An experiment with its tags.
pub(crate) fn find(conn: &Conn, id: i64) -> Result<Option<Experiment>, StoreError> {
    Ok(load(conn, &[id])?.pop())
}

/// Some experiments with their tags, in the order of the ids.
pub(crate) fn load(conn: &Conn, ids: &[i64]) -> Result<Vec<Experiment>, StoreError> {
    let mut loaded = Vec::with_capacity(ids.len());
    for some in ids.chunks(Among::MOST) {
        let among = Among::of(some);
        let mut found: BTreeMap<i64, Experiment> = BTreeMap::new();
        let sql = format!(
            "SELECT experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time
             FROM experiments WHERE workspace = 'default' AND experiment_id IN {}",
            among.marks
        );
        among.query(conn, &sql, |row| {
            let experiment = from_row(row)?;
            found.insert(experiment.id, experiment);
            Ok(())
        })?;
        let sql = format!(
            "SELECT experiment_id, key, value FROM experiment_tags WHERE experiment_id IN {} ORDER BY key",
            among.marks
        );
        among.query(conn, &sql, |row| {
            if let Some(experiment) = row.readable(0)?.and_then(|id| found.get_mut(&id)) {
                experiment.tags.push((text(row, 1)?, text(row, 2)?));
            }
            Ok(())
        })?;
        loaded.extend(some.iter().filter_map(|id| found.remove(id)));
    }
    Ok(loaded)
}

fn from_row(row: &Row<'_>) -> Result<Experiment, StoreError> {
    Ok(Experiment {
        id: row.get(0)?,
        name: text(row, 1)?,
        artifact_location: text(row, 2)?,
        lifecycle_stage: text(row, 3)?,
        creation_time: row.readable(4)?,
        last_update_time: row.readable(5)?,
        tags: Vec::new(),
    })
}

/// The number of the experiment of a name.
pub(crate) fn id_of_name(conn: &Conn, name: &str) -> Result<Option<i64>, StoreError> {
    conn.query_first(
        "SELECT experiment_id FROM experiments WHERE workspace = 'default' AND name = ?1",
        params![name],
        |row| row.get(0),
    )
}
