//! Tags of runs and model versions.

use std::collections::BTreeMap;

use herdbook_domain::tags::{TagChanges, Tags};
use herdbook_domain::{RunId, VersionKey};

use crate::engine::db::{Conn, ToValue, params};
use crate::error::StoreError;

/// The tags of a run; a tag without a value counts as empty.
///
/// # Errors
/// Those of the database.
pub fn of_run(conn: &Conn, run_id: &str) -> Result<Tags, StoreError> {
    collect(conn, "SELECT key, coalesce(value, '') FROM tags WHERE run_uuid = ?1", params![run_id])
}

/// The tags of a version; a tag without a value counts as empty.
///
/// # Errors
/// Those of the database.
pub fn of_version(conn: &Conn, key: &VersionKey) -> Result<Tags, StoreError> {
    collect(
        conn,
        "SELECT key, coalesce(value, '') FROM model_version_tags
         WHERE workspace = 'default' AND name = ?1 AND version = ?2",
        params![key.name.as_str(), key.version.get()],
    )
}

/// The tags of every version, by model and number.
#[derive(Default)]
pub struct AllTags(BTreeMap<String, BTreeMap<i64, Tags>>);

impl AllTags {
    /// Removes the tags of a version and returns them.
    pub fn take(&mut self, key: &VersionKey) -> Tags {
        let versions = self.0.get_mut(key.name.as_str());
        versions
            .and_then(|versions| versions.remove(&i64::from(key.version.get())))
            .unwrap_or_default()
    }
}

/// Which tags of versions to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TagSelection {
    /// All tags.
    #[default]
    All,
    /// The tags with these keys. Keys are plain words.
    Only(&'static [&'static str]),
}

impl TagSelection {
    /// The condition that a column has a selected key.
    fn sql(self, column: &str) -> String {
        match self {
            Self::All => "TRUE".to_owned(),
            Self::Only(keys) => format!("{column} IN ('{}')", keys.join("', '")),
        }
    }
}

/// The tags of every version. For lists of all versions: reads the table once.
///
/// # Errors
/// Those of the database.
pub fn of_all_versions(conn: &Conn, selection: TagSelection) -> Result<AllTags, StoreError> {
    let mut models: BTreeMap<String, BTreeMap<i64, Tags>> = BTreeMap::new();
    let sql = format!(
        "SELECT name, version, key, coalesce(value, '') FROM model_version_tags
         WHERE workspace = 'default' AND {}",
        selection.sql("key")
    );
    conn.query(&sql, params![], |row| {
        if let (Some(name), Some(version), Some(key)) =
            (row.readable(0)?, row.readable(1)?, row.readable(2)?)
        {
            let versions: &mut BTreeMap<i64, Tags> = models.entry(name).or_default();
            let value = row.shown(3)?.unwrap_or_default();
            versions.entry(version).or_default().insert(key, value);
        }
        Ok(())
    })?;
    Ok(AllTags(models))
}

/// The params of a run.
///
/// # Errors
/// Those of the database.
pub fn params_of_run(conn: &Conn, run_id: &str) -> Result<Tags, StoreError> {
    collect(conn, "SELECT key, value FROM params WHERE run_uuid = ?1", params![run_id])
}

fn collect(conn: &Conn, sql: &str, values: &[&dyn ToValue]) -> Result<Tags, StoreError> {
    let tags = conn.query(sql, values, |row| {
        let value = row.shown(1)?.unwrap_or_default();
        Ok(row.readable::<String>(0)?.map(|key| (key, value)))
    })?;
    Ok(tags.into_iter().flatten().collect())
}

/// Sets tags of a run, in place of their old values.
///
/// # Errors
/// Those of the database.
pub fn set_on_run(conn: &Conn, run_id: &RunId, tags: &Tags) -> Result<(), StoreError> {
    for (key, value) in tags {
        conn.execute(
            "INSERT INTO tags (key, value, run_uuid) VALUES (?1, ?2, ?3)
             ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value",
            params![key, value, run_id.as_str()],
        )?;
    }
    Ok(())
}

/// Sets tags of a version, in place of their old values.
///
/// # Errors
/// Those of the database.
pub fn set_on_version(conn: &Conn, key: &VersionKey, tags: &Tags) -> Result<(), StoreError> {
    for (tag, value) in tags {
        conn.execute(
            "INSERT INTO model_version_tags (key, value, name, version, workspace)
             VALUES (?1, ?2, ?3, ?4, 'default')
             ON CONFLICT (workspace, key, name, version) DO UPDATE SET value = excluded.value",
            params![tag, value, key.name.as_str(), key.version.get()],
        )?;
    }
    Ok(())
}

/// Removes and sets tags of a run; does nothing if the run does not exist any more.
///
/// # Errors
/// Those of the database.
pub fn change_on_run(conn: &Conn, run_id: &RunId, changes: &TagChanges) -> Result<(), StoreError> {
    let exists: bool = conn.query_row(
        "SELECT EXISTS (SELECT 1 FROM runs WHERE run_uuid = ?1)",
        params![run_id.as_str()],
        |row| row.get(0),
    )?;
    if !exists {
        return Ok(());
    }
    for key in &changes.removed {
        conn.execute(
            "DELETE FROM tags WHERE run_uuid = ?1 AND key = ?2",
            params![run_id.as_str(), key],
        )?;
    }
    set_on_run(conn, run_id, &changes.set)
}

/// Removes and sets tags of a version.
///
/// # Errors
/// Those of the database.
pub fn change_on_version(
    conn: &Conn,
    key: &VersionKey,
    changes: &TagChanges,
) -> Result<(), StoreError> {
    for tag in &changes.removed {
        conn.execute(
            "DELETE FROM model_version_tags
             WHERE workspace = 'default' AND name = ?1 AND version = ?2 AND key = ?3",
            params![key.name.as_str(), key.version.get(), tag],
        )?;
    }
    set_on_version(conn, key, &changes.set)
}
