//! Tags of runs and model versions.

use herdbook_domain::tags::{TagChanges, Tags, key};
use herdbook_domain::{RunId, VersionKey};

use crate::engine::db::{Conn, ToValue, params};
use crate::error::StoreError;
use crate::tables::batch::{self, ByVersion, Versions};

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

/// Which tags of versions to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TagSelection {
    /// All tags.
    #[default]
    All,
    /// The tags with these keys, which are plain words. Those that a seal repeats may be missing from a version with a seal.
    Only(&'static [&'static str]),
}

/// What happens to the selected tags that a seal repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedTags {
    /// They are read.
    Read,
    /// They are left out: all versions have seals, whose values count.
    LeftOut,
}

/// The tags whose values a seal repeats.
const SEALED: [&str; 4] = [key::TIMEFRAME, key::MODEL_TYPE, key::HONESTY, key::TOTAL_TIMESTEPS];

impl TagSelection {
    /// The condition that a column has a selected key.
    fn sql(self, column: &str, sealed: SealedTags) -> String {
        let Self::Only(keys) = self else { return "TRUE".to_owned() };
        let is_read = |key: &&&str| sealed == SealedTags::Read || !SEALED.contains(*key);
        let keys: Vec<&str> = keys.iter().filter(is_read).copied().collect();
        format!("{column} IN ('{}')", keys.join("', '"))
    }
}

/// The selected tags of versions.
///
/// # Errors
/// Those of the database.
pub fn of_versions(
    conn: &Conn,
    versions: Versions<'_>,
    selection: TagSelection,
    sealed: SealedTags,
) -> Result<ByVersion<Tags>, StoreError> {
    let mut found: ByVersion<Tags> = ByVersion::default();
    let condition = format!("t.workspace = 'default' AND {}", selection.sql("t.key", sealed));
    let query = ("t.name, t.version, t.key, t.value", "model_version_tags", condition.as_str());
    batch::of_versions(conn, versions, query, |row| {
        if let (Some(name), Some(version), Some(key)) =
            (row.text(0)?, row.readable(1)?, row.readable::<String>(2)?)
        {
            let value = row.shown(3)?.unwrap_or_default();
            if let Some(tags) = found.get_mut(name, version) {
                tags.insert(key, value);
            } else {
                found.insert(name, version, Tags::from([(key, value)]));
            }
        }
        Ok(())
    })?;
    Ok(found)
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
