//! Aliases: movable names of versions.

use herdbook_store::engine::db::Conn;
use herdbook_store::{Store, params};

use crate::error::MlflowError;
use crate::read::read;
use crate::registry::record::{self, ModelVersion};
use crate::registry::registered_models::require_model;
use crate::registry::validation::{
    check_alias_name, check_alias_not_reserved, check_name, known_version,
};

/// Checks the names of an alias that is to be set, and reads the number of its version.
///
/// # Errors
/// [`MlflowError::Refused`].
pub fn parse_alias<'a>(
    name: &'a str,
    alias: &str,
    version: &str,
) -> Result<(&'a str, i64), MlflowError> {
    check_name(name)?;
    check_alias_name(alias)?;
    check_alias_not_reserved(alias)?;
    Ok((name, known_version(name, version)?))
}

/// Checks the names of an alias that is to be set, and that its version exists.
///
/// # Errors
/// [`MlflowError::Refused`]; those of the database.
pub fn check_alias(
    conn: &Conn,
    (name, number): (&str, i64),
    alias: &str,
) -> Result<(), MlflowError> {
    check_name(name)?;
    check_alias_name(alias)?;
    check_alias_not_reserved(alias)?;
    record::require_version(conn, name, number)
}

/// Points an alias at a version.
///
/// # Errors
/// As [`check_alias`].
pub fn set_alias(conn: &Conn, key: (&str, i64), alias: &str) -> Result<(), MlflowError> {
    check_alias(conn, key, alias)?;
    let (name, number) = key;
    conn.execute(
        "INSERT INTO registered_model_aliases (alias, version, name, workspace)
         VALUES (?1, ?2, ?3, 'default')
         ON CONFLICT (workspace, name, alias) DO UPDATE SET version = excluded.version",
        params![alias, number, name],
    )?;
    Ok(())
}

/// Removes an alias; one that does not exist is no error.
///
/// # Errors
/// [`MlflowError::Refused`] if the alias is not allowed, or there is no such model; those of the database.
pub fn delete_alias(conn: &Conn, name: &str, alias: &str) -> Result<(), MlflowError> {
    check_name(name)?;
    check_alias_name(alias)?;
    require_model(conn, name)?;
    conn.execute(
        "DELETE FROM registered_model_aliases
         WHERE workspace = 'default' AND name = ?1 AND alias = ?2",
        params![name, alias],
    )?;
    Ok(())
}

/// The version that an alias points at. `latest` is the newest version.
///
/// # Errors
/// [`MlflowError::Refused`] if the alias is not allowed, or there is no such model, alias or version; those of the store.
pub fn version_by_alias(
    store: &Store,
    name: &str,
    alias: &str,
) -> Result<ModelVersion, MlflowError> {
    check_name(name)?;
    check_alias_name(alias)?;
    read(store, |conn| version_of(conn, name, alias))
}

/// As [`version_by_alias`], in an open transaction.
pub(super) fn version_of(
    conn: &Conn,
    name: &str,
    alias: &str,
) -> Result<ModelVersion, MlflowError> {
    if alias.to_lowercase() == "latest" {
        let versions = record::model(conn, name)?.latest_versions;
        let newest = versions.into_iter().max_by_key(|version| version.version);
        let mut newest = newest.ok_or_else(|| {
            MlflowError::missing(format!("Latest version not found for model {name}."))
        })?;
        newest.aliases = record::aliases_of(conn, name, newest.version)?;
        return Ok(newest);
    }
    require_model(conn, name)?;
    let number: Option<i64> = conn
        .query_first(
            "SELECT version FROM registered_model_aliases
             WHERE workspace = 'default' AND name = ?1 AND alias = ?2",
            params![name, alias],
            |row| row.readable(0),
        )?
        .flatten();
    let number = number.ok_or_else(|| {
        MlflowError::invalid(format!("Registered model alias {alias} not found."))
    })?;
    record::version(conn, name, number)
}
