//! Model versions: created, described, looked up.

use herdbook_domain::Timestamp;
use herdbook_store::engine::db::Conn;
use herdbook_store::{Store, params};

use crate::error::MlflowError;
use crate::read::read;
use crate::registry::record::{self, ModelVersion};
use crate::registry::registered_models::{require_model, touch_model};
use crate::registry::search::with_aliases;
use crate::registry::source::ResolvedSource;
use crate::registry::stages::MlflowStage;
use crate::registry::tags::write_version_tag;
use crate::registry::validation::{check_name, check_version_tag, known_version};

/// A version to create.
#[derive(Debug, Clone, Default)]
pub struct NewModelVersion {
    /// Its registered model.
    pub name: String,
    /// Its files and its run.
    pub source: ResolvedSource,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// A link to its run on another server.
    pub run_link: String,
    /// Its description.
    pub description: String,
}

impl NewModelVersion {
    /// Checks names and tags.
    ///
    /// # Errors
    /// [`MlflowError::Refused`].
    pub fn check(&self) -> Result<(), MlflowError> {
        check_name(&self.name)?;
        self.tags.iter().try_for_each(|(key, value)| check_version_tag(key, value))
    }
}

/// A version.
///
/// # Errors
/// [`MlflowError::Refused`] if there is none, or it was deleted; those of the store.
pub fn get_version(store: &Store, name: &str, version: &str) -> Result<ModelVersion, MlflowError> {
    check_name(name)?;
    let number = known_version(name, version)?;
    read(store, |conn| record::version(conn, name, number))
}

/// Fails if there is no such version, or it was deleted.
///
/// # Errors
/// [`MlflowError::Refused`]; those of the database.
pub fn require_version(conn: &Conn, (name, number): (&str, i64)) -> Result<(), MlflowError> {
    check_name(name)?;
    record::require_version(conn, name, number)
}

/// The URI of the files that MLflow serves as a version.
///
/// # Errors
/// As [`get_version`].
pub fn download_uri(
    store: &Store,
    name: &str,
    version: &str,
) -> Result<Option<String>, MlflowError> {
    check_name(name)?;
    let number = known_version(name, version)?;
    read(store, |conn| record::location_of(conn, name, number))
}

/// The newest version of each of some stages; of each stage if there are none.
///
/// # Errors
/// [`MlflowError::Refused`] if there is no such model, or a stage is unknown; those of the store.
pub fn latest_versions(
    store: &Store,
    name: &str,
    stages: &[String],
) -> Result<Vec<ModelVersion>, MlflowError> {
    check_name(name)?;
    read(store, |conn| {
        let model = record::model(conn, name)?;
        let stages: Vec<&str> = if stages.is_empty() {
            MlflowStage::ALL.map(MlflowStage::as_str).to_vec()
        } else {
            let stages: Result<Vec<_>, _> =
                stages.iter().map(|stage| MlflowStage::parse(stage)).collect();
            stages?.into_iter().map(MlflowStage::as_str).collect()
        };
        Ok(with_aliases(conn, model, &stages)?)
    })
}

/// Creates a version, with the number after the highest that the model ever gave.
///
/// # Errors
/// [`MlflowError::Refused`] if a name or tag is not allowed, or there is no such model; those of the database.
pub fn create_version(
    conn: &Conn,
    new: &NewModelVersion,
    at: Timestamp,
) -> Result<ModelVersion, MlflowError> {
    new.check()?;
    let name = new.name.as_str();
    require_model(conn, name)?;
    touch_model(conn, name, at)?;
    let number = highest_number(conn, name)? + 1;
    conn.execute(
        "INSERT INTO model_versions (name, version, creation_time, last_updated_time, description,
            user_id, current_stage, source, run_id, status, status_message, run_link,
            storage_location, workspace)
         VALUES (?1, ?2, ?3, ?3, ?4, NULL, 'None', ?5, ?6, 'READY', NULL, ?7, ?8, 'default')",
        params![
            name,
            number,
            at.millis(),
            new.description,
            new.source.source,
            new.source.run_id,
            new.run_link,
            new.source.storage_location,
        ],
    )?;
    for (key, value) in &new.tags {
        write_version_tag(conn, (name, number), key, value)?;
    }
    record::version(conn, name, number)
}

/// The highest number that a model gave, also to versions of a model of this name that was deleted: numbers in the history
/// of the life cycle are never given again.
fn highest_number(conn: &Conn, name: &str) -> Result<i64, MlflowError> {
    // The row of the model is locked by its change of time, so no other act takes the same number.
    let in_table: Option<i64> = conn.query_row(
        "SELECT max(version) FROM model_versions WHERE workspace = 'default' AND name = ?1",
        params![name],
        |row| row.get(0),
    )?;
    let in_history: Option<i64> = conn.query_row(
        "SELECT max(version) FROM herdbook_events WHERE name = ?1",
        params![name],
        |row| row.get(0),
    )?;
    Ok(in_table.max(in_history).unwrap_or(0))
}

/// Describes a version; `None` removes the description.
///
/// # Errors
/// [`MlflowError::Refused`] if there is no such version; those of the database.
pub fn update_version(
    conn: &Conn,
    (name, number): (&str, i64),
    description: Option<&str>,
    at: Timestamp,
) -> Result<ModelVersion, MlflowError> {
    check_name(name)?;
    record::require_version(conn, name, number)?;
    conn.execute(
        "UPDATE model_versions SET description = ?1, last_updated_time = ?2
         WHERE workspace = 'default' AND name = ?3 AND version = ?4",
        params![description, at.millis(), name, number],
    )?;
    record::version(conn, name, number)
}
