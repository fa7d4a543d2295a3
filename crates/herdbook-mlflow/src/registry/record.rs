//! Registered models and model versions on record.

use std::collections::BTreeMap;

use herdbook_store::engine::db::{Conn, Row};
use herdbook_store::{StoreError, params};

use crate::error::MlflowError;
use crate::sql::{Arguments, text};

/// The stage of a version that was deleted. Its row stays.
pub(super) const DELETED: &str = "Deleted_Internal";

/// A registered model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegisteredModel {
    /// Its name.
    pub name: String,
    /// Milliseconds since 1970.
    pub creation_time: Option<i64>,
    /// Milliseconds since 1970.
    pub last_updated_time: Option<i64>,
    /// Its description.
    pub description: Option<String>,
    /// The newest version of each stage, without aliases.
    pub latest_versions: Vec<ModelVersion>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// Its aliases, each with the number of a version.
    pub aliases: Vec<(String, i64)>,
}

/// A model version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelVersion {
    /// The name of its registered model.
    pub name: String,
    /// Its number.
    pub version: i64,
    /// Milliseconds since 1970.
    pub creation_time: Option<i64>,
    /// Milliseconds since 1970.
    pub last_updated_time: Option<i64>,
    /// Its description.
    pub description: Option<String>,
    /// The user who registered it.
    pub user_id: Option<String>,
    /// MLflow's stage.
    pub current_stage: Option<String>,
    /// The URI that was registered.
    pub source: Option<String>,
    /// Its run.
    pub run_id: Option<String>,
    /// A link to the run on another server.
    pub run_link: Option<String>,
    /// `READY` as a rule.
    pub status: Option<String>,
    /// The explanation of the status.
    pub status_message: Option<String>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// The aliases that point at it; searches leave them out.
    pub aliases: Vec<String>,
}

pub(super) const VERSION_COLUMNS: &str = "r.name, r.version, r.creation_time, r.last_updated_time, r.description, r.user_id, \
                               r.current_stage, r.source, r.run_id, r.run_link, r.status, r.status_message";

/// A registered model with its tags and aliases.
///
/// # Errors
/// [`MlflowError::Refused`] if there is none.
pub(super) fn model(conn: &Conn, name: &str) -> Result<RegisteredModel, MlflowError> {
    let found = models(conn, &[name.to_owned()])?.pop();
    found.ok_or_else(|| no_model(name))
}

/// Some registered models, in the order of the names; names without a model are left out.
pub(super) fn models(conn: &Conn, names: &[String]) -> Result<Vec<RegisteredModel>, StoreError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut args = Arguments::default();
    let marks: Vec<String> = padded(names).into_iter().map(|name| args.text(name)).collect();
    let among = format!("workspace = 'default' AND name IN ({})", marks.join(", "));
    let values = args.values();
    let mut found = BTreeMap::new();
    let sql = format!(
        "SELECT name, creation_time, last_updated_time, description FROM registered_models WHERE {among}"
    );
    for model in conn.query(&sql, values.as_slice(), model_of_row)? {
        found.insert(model.name.clone(), model);
    }
    let sql =
        format!("SELECT name, key, value FROM registered_model_tags WHERE {among} ORDER BY key");
    conn.query(&sql, values.as_slice(), |row| {
        if let Some(model) = found.get_mut(&text(row, 0)?) {
            model.tags.push((text(row, 1)?, text(row, 2)?));
        }
        Ok(())
    })?;
    let sql = format!(
        "SELECT name, alias, version FROM registered_model_aliases WHERE {among} ORDER BY alias"
    );
    conn.query(&sql, values.as_slice(), |row| {
        if let (Some(model), Some(version)) = (found.get_mut(&text(row, 0)?), row.readable(2)?) {
            model.aliases.push((text(row, 1)?, version));
        }
        Ok(())
    })?;
    let sql = format!(
        "SELECT {VERSION_COLUMNS} FROM (
            SELECT name, max(version) AS newest, min(version) AS oldest FROM model_versions
            WHERE workspace = 'default' AND name IN ({marks}) AND current_stage <> '{DELETED}'
            GROUP BY name, current_stage) s
         JOIN model_versions r ON r.workspace = 'default' AND r.name = s.name AND r.version = s.newest
         ORDER BY r.name, s.oldest",
        marks = marks.join(", ")
    );
    let mut latest = conn.query(&sql, values.as_slice(), version_of_row)?;
    add_tags(conn, &mut latest)?;
    for version in latest {
        if let Some(model) = found.get_mut(&version.name) {
            model.latest_versions.push(version);
        }
    }
    Ok(names.iter().filter_map(|name| found.remove(name)).collect())
}

/// A version that was not deleted, with its tags and aliases.
///
/// # Errors
/// [`MlflowError::Refused`] if there is none.
pub(super) fn version(conn: &Conn, name: &str, number: i64) -> Result<ModelVersion, MlflowError> {
    let sql = format!(
        "SELECT {VERSION_COLUMNS} FROM model_versions r
         WHERE r.workspace = 'default' AND r.name = ?1 AND r.version = ?2 AND r.current_stage <> '{DELETED}'"
    );
    let found = conn.query_first(&sql, params![name, number], version_of_row)?;
    let mut version = found.ok_or_else(|| no_version(name, number))?;
    version.tags = conn.query(
        "SELECT key, value FROM model_version_tags
         WHERE workspace = 'default' AND name = ?1 AND version = ?2 ORDER BY key",
        params![name, number],
        |row| Ok((text(row, 0)?, text(row, 1)?)),
    )?;
    version.aliases = aliases_of(conn, name, number)?;
    Ok(version)
}

/// Fails if there is no such version, or it was deleted.
///
/// # Errors
/// [`MlflowError::Refused`].
pub(super) fn require_version(conn: &Conn, name: &str, number: i64) -> Result<(), MlflowError> {
    let sql = format!(
        "SELECT 1 FROM model_versions
         WHERE workspace = 'default' AND name = ?1 AND version = ?2 AND current_stage <> '{DELETED}'"
    );
    let found = conn.query_first(&sql, params![name, number], |_| Ok(()))?;
    found.ok_or_else(|| no_version(name, number))
}

/// The storage location of a version, or else its source.
pub(super) fn location_of(
    conn: &Conn,
    name: &str,
    number: i64,
) -> Result<Option<String>, MlflowError> {
    require_version(conn, name, number)?;
    let found: Option<(Option<String>, Option<String>)> = conn.query_first(
        "SELECT storage_location, source FROM model_versions
         WHERE workspace = 'default' AND name = ?1 AND version = ?2",
        params![name, number],
        |row| Ok((row.readable(0)?, row.readable(1)?)),
    )?;
    let (location, source) = found.unwrap_or_default();
    Ok(location.filter(|location| !location.is_empty()).or(source))
}

/// Number of versions that one statement asks for: SQLite takes 32,766 arguments.
const PART: usize = 5_000;

/// The condition that a table names one of some versions.
fn among(table: &str, keys: &[(&str, i64)], args: &mut Arguments) -> String {
    let marks: Vec<String> = keys
        .iter()
        .map(|(name, version)| format!("({}, {})", args.text(*name), args.integer(*version)))
        .collect();
    format!(
        "{table}.workspace = 'default' AND ({table}.name, {table}.version) IN (VALUES {})",
        marks.join(", ")
    )
}

/// Adds their tags to some versions.
pub(super) fn add_tags(conn: &Conn, versions: &mut [ModelVersion]) -> Result<(), StoreError> {
    let mut tags: BTreeMap<(String, i64), Vec<(String, String)>> = BTreeMap::new();
    let keys: Vec<(&str, i64)> =
        versions.iter().map(|version| (version.name.as_str(), version.version)).collect();
    for part in keys.chunks(PART) {
        let mut args = Arguments::default();
        let among = among("t", &padded(part), &mut args);
        let sql = format!(
            "SELECT t.name, t.version, t.key, t.value FROM model_version_tags t WHERE {among} ORDER BY t.key"
        );
        conn.query(&sql, args.values().as_slice(), |row| {
            let key = (text(row, 0)?, row.readable(1)?.unwrap_or_default());
            tags.entry(key).or_default().push((text(row, 2)?, text(row, 3)?));
            Ok(())
        })?;
    }
    for version in versions {
        version.tags = tags.remove(&(version.name.clone(), version.version)).unwrap_or_default();
    }
    Ok(())
}

/// Items with the last one repeated up to one of few numbers, so that the database prepares few statements.
fn padded<T: Clone>(items: &[T]) -> Vec<T> {
    let wanted = [1, 10, 100, 1_000, PART].into_iter().find(|number| *number >= items.len());
    let mut padded = items.to_vec();
    if let (Some(wanted), Some(last)) = (wanted, items.last()) {
        padded.resize(wanted, last.clone());
    }
    padded
}

/// The aliases that point at a version.
pub(super) fn aliases_of(conn: &Conn, name: &str, number: i64) -> Result<Vec<String>, StoreError> {
    conn.query(
        "SELECT alias FROM registered_model_aliases
         WHERE workspace = 'default' AND name = ?1 AND version = ?2 ORDER BY alias",
        params![name, number],
        |row| text(row, 0),
    )
}

pub(super) fn no_model(name: &str) -> MlflowError {
    MlflowError::missing(format!("Registered Model with name={name} not found"))
}

pub(super) fn no_version(name: &str, number: i64) -> MlflowError {
    MlflowError::missing(format!("Model Version (name={name}, version={number}) not found"))
}

fn model_of_row(row: &Row<'_>) -> Result<RegisteredModel, StoreError> {
    Ok(RegisteredModel {
        name: text(row, 0)?,
        creation_time: row.readable(1)?,
        last_updated_time: row.readable(2)?,
        description: row.readable(3)?,
        ..RegisteredModel::default()
    })
}

pub(super) fn version_of_row(row: &Row<'_>) -> Result<ModelVersion, StoreError> {
    Ok(ModelVersion {
        name: text(row, 0)?,
        version: row.get(1)?,
        creation_time: row.readable(2)?,
        last_updated_time: row.readable(3)?,
        description: row.readable(4)?,
        user_id: row.readable(5)?,
        current_stage: row.readable(6)?,
        source: row.readable(7)?,
        run_id: row.readable(8)?,
        run_link: row.readable(9)?,
        status: row.readable(10)?,
        status_message: row.readable(11)?,
        tags: Vec::new(),
        aliases: Vec::new(),
    })
}
