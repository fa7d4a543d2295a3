//! Tags of registered models and model versions.

use herdbook_store::engine::db::Conn;
use herdbook_store::params;

use crate::error::MlflowError;
use crate::registry::record;
use crate::registry::registered_models::{require_model, write_tag};
use crate::registry::validation::{check_model_tag, check_name, check_tag_key, check_version_tag};
use crate::sql::text;

/// Sets a tag of a registered model.
///
/// # Errors
/// [`MlflowError::Refused`] if the tag is not allowed, or there is no such model; those of the database.
pub fn set_model_tag(conn: &Conn, name: &str, key: &str, value: &str) -> Result<(), MlflowError> {
    check_name(name)?;
    check_model_tag(key, value)?;
    require_model(conn, name)?;
    write_tag(conn, name, key, value)
}

/// Removes a tag of a registered model; a tag that does not exist is no error.
///
/// # Errors
/// [`MlflowError::Refused`] if the key is not allowed, or there is no such model; those of the database.
pub fn delete_model_tag(conn: &Conn, name: &str, key: &str) -> Result<(), MlflowError> {
    check_name(name)?;
    check_tag_key(key)?;
    require_model(conn, name)?;
    conn.execute(
        "DELETE FROM registered_model_tags WHERE workspace = 'default' AND name = ?1 AND key = ?2",
        params![name, key],
    )?;
    Ok(())
}

/// The value of a tag that is about to change; `None` if the version has no such tag. With `value` the tag is to be set,
/// else removed.
///
/// # Errors
/// [`MlflowError::Refused`] if the tag is not allowed, or there is no such version; those of the database.
pub fn version_tag(
    conn: &Conn,
    (name, number): (&str, i64),
    key: &str,
    value: Option<&str>,
) -> Result<Option<String>, MlflowError> {
    check_name(name)?;
    match value {
        Some(value) => check_version_tag(key, value)?,
        None => check_tag_key(key)?,
    }
    record::require_version(conn, name, number)?;
    let found = conn.query_first(
        "SELECT value FROM model_version_tags
         WHERE workspace = 'default' AND name = ?1 AND version = ?2 AND key = ?3",
        params![name, number, key],
        |row| text(row, 0),
    )?;
    Ok(found)
}

/// Sets a tag of a version.
///
/// # Errors
/// As [`version_tag`].
pub fn set_version_tag(
    conn: &Conn,
    (name, number): (&str, i64),
    key: &str,
    value: &str,
) -> Result<(), MlflowError> {
    version_tag(conn, (name, number), key, Some(value))?;
    write_version_tag(conn, (name, number), key, value)
}

pub(super) fn write_version_tag(
    conn: &Conn,
    (name, number): (&str, i64),
    key: &str,
    value: &str,
) -> Result<(), MlflowError> {
    conn.execute(
        "INSERT INTO model_version_tags (key, value, name, version, workspace)
         VALUES (?1, ?2, ?3, ?4, 'default')
         ON CONFLICT (workspace, key, name, version) DO UPDATE SET value = excluded.value",
        params![key, value, name, number],
    )?;
    Ok(())
}

/// Removes a tag of a version; a tag that does not exist is no error.
///
/// # Errors
/// As [`version_tag`].
pub fn delete_version_tag(
    conn: &Conn,
    (name, number): (&str, i64),
    key: &str,
) -> Result<(), MlflowError> {
    if version_tag(conn, (name, number), key, None)?.is_some() {
        conn.execute(
            "DELETE FROM model_version_tags
             WHERE workspace = 'default' AND name = ?1 AND version = ?2 AND key = ?3",
            params![name, number, key],
        )?;
    }
    Ok(())
}
