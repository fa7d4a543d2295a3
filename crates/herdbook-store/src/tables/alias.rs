//! The alias `champion`, which points to the version in production.

use herdbook_domain::{AliasChange, ModelName};

use crate::engine::db::{Conn, params};
use crate::error::StoreError;

/// The name of the alias.
pub const CHAMPION_ALIAS: &str = "champion";

/// The version that the alias points at.
///
/// # Errors
/// Those of the database.
pub fn champion(conn: &Conn, name: &ModelName) -> Result<Option<i64>, StoreError> {
    conn.query_first(
        "SELECT version FROM registered_model_aliases
         WHERE workspace = 'default' AND name = ?1 AND alias = ?2",
        params![name.as_str(), CHAMPION_ALIAS],
        |row| row.get(0),
    )
}

/// Points the alias at another version, removes it, or leaves it as it is.
///
/// # Errors
/// Those of the database.
pub fn move_champion(conn: &Conn, name: &ModelName, change: AliasChange) -> Result<(), StoreError> {
    match change {
        AliasChange::Unchanged => {}
        AliasChange::PointTo(version) => {
            conn.execute(
                "INSERT INTO registered_model_aliases (alias, version, name, workspace)
                 VALUES (?1, ?2, ?3, 'default')
                 ON CONFLICT (workspace, name, alias) DO UPDATE SET version = excluded.version",
                params![CHAMPION_ALIAS, version.get(), name.as_str()],
            )?;
        }
        AliasChange::Remove => {
            conn.execute(
                "DELETE FROM registered_model_aliases
                 WHERE workspace = 'default' AND name = ?1 AND alias = ?2",
                params![name.as_str(), CHAMPION_ALIAS],
            )?;
        }
    }
    Ok(())
}
