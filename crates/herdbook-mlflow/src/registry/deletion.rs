//! Deletion: of a version, whose row stays, and of a registered model, which disappears.

use herdbook_domain::Timestamp;
use herdbook_store::engine::db::Conn;
use herdbook_store::params;

use crate::error::MlflowError;
use crate::registry::record;
use crate::registry::registered_models::{require_model, touch_model};

/// Deletes a version: its row keeps its number and tags, and loses its source, run and aliases.
///
/// # Errors
/// [`MlflowError::Refused`] if there is no such version; those of the database.
pub fn delete_version(
    conn: &Conn,
    (name, number): (&str, i64),
    at: Timestamp,
) -> Result<(), MlflowError> {
    record::require_version(conn, name, number)?;
    touch_model(conn, name, at)?;
    conn.execute(
        "DELETE FROM registered_model_aliases
         WHERE workspace = 'default' AND name = ?1 AND version = ?2",
        params![name, number],
    )?;
    conn.execute(
        "UPDATE model_versions SET current_stage = 'Deleted_Internal', last_updated_time = ?1,
            description = NULL, user_id = NULL, source = 'REDACTED-SOURCE-PATH',
            run_id = 'REDACTED-RUN-ID', run_link = 'REDACTED-RUN-LINK', status_message = NULL
         WHERE workspace = 'default' AND name = ?2 AND version = ?3",
        params![at.millis(), name, number],
    )?;
    Ok(())
}

/// Deletes a registered model with all its versions, tags and aliases.
///
/// # Errors
/// [`MlflowError::Refused`] if there is no such model; those of the database.
pub fn delete_model(conn: &Conn, name: &str) -> Result<(), MlflowError> {
    require_model(conn, name)?;
    for table in [
        "registered_model_aliases",
        "model_version_tags",
        "model_versions",
        "registered_model_tags",
        "registered_models",
    ] {
        conn.execute(
            &format!("DELETE FROM {table} WHERE workspace = 'default' AND name = ?1"),
            params![name],
        )?;
    }
    Ok(())
}
