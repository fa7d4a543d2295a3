//! Where the files of runs, logged models and versions are.

use herdbook_store::{Store, params};

use crate::error::MlflowError;
use crate::python;

/// The stage of a version that was deleted. Its row stays, so that its number is not used again.
const DELETED: &str = "Deleted_Internal";

/// The artifact location of a run, deleted or not. `None` stands for a request without an id.
///
/// # Errors
/// [`MlflowError::Refused`] if there is no such run; those of the store.
pub fn run_location(store: &Store, run_id: Option<&str>) -> Result<String, MlflowError> {
    let missing = || {
        let message = format!("Run with id={} not found", run_id.unwrap_or("None"));
        MlflowError::missing(message)
    };
    let run_id = run_id.ok_or_else(missing)?;
    let found: Option<String> = store.read(|conn| {
        conn.query_first(
            "SELECT r.artifact_uri FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
             WHERE e.workspace = 'default' AND r.run_uuid = ?1",
            params![run_id],
            |row| Ok(row.readable(0)?.unwrap_or_default()),
        )
    })?;
    found.ok_or_else(missing)
}

/// The location of the files of a model version.
///
/// # Errors
/// [`MlflowError::Refused`] if the version is not a number, or there is no such version; those of the store.
pub fn version_location(store: &Store, name: &str, version: &str) -> Result<String, MlflowError> {
    if name.is_empty() {
        return Err(MlflowError::invalid("Missing value for required parameter 'name'."));
    }
    let number = python::parse_int(version).ok_or_else(|| {
        let version = python::text(version);
        MlflowError::invalid(format!("Parameter 'version' must be an integer, got {version}."))
    })?;
    let missing =
        || MlflowError::missing(format!("Model Version (name={name}, version={number}) not found"));
    let number = i32::try_from(number).map_err(|_| missing())?;
    let found: Option<String> = store.read(|conn| {
        conn.query_first(
            "SELECT COALESCE(storage_location, source) FROM model_versions
             WHERE workspace = 'default' AND name = ?1 AND version = ?2 AND current_stage <> ?3",
            params![name, i64::from(number), DELETED],
            |row| Ok(row.readable(0)?.unwrap_or_default()),
        )
    })?;
    found.ok_or_else(missing)
}
