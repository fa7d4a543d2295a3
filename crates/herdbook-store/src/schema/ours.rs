//! Our own tables and indexes: what they should be, and which of them are not.

use std::collections::BTreeMap;

use herdbook_domain::SchemaState;
use rusqlite::{Connection, OptionalExtension};

use crate::StoreError;

pub(super) const HERDBOOK_TABLES: &str = include_str!("herdbook.sql");

/// Tables and indexes of ours that are missing or altered in a store that has been ours before.
pub(crate) fn faults(conn: &Connection) -> Result<Vec<&'static str>, StoreError> {
    let objects = objects(conn)?;
    let was_ours = our_objects().any(|(name, _)| objects.contains_key(name));
    Ok(if was_ours { faulty(&objects).collect() } else { Vec::new() })
}

/// What became of a fault after [`complete`].
pub(crate) fn state_of(conn: &Connection, object: &str) -> Result<SchemaState, StoreError> {
    let is_index = our_objects().any(|(name, sql)| name == object && sql.contains(" INDEX "));
    Ok(match (faulty(&objects(conn)?).any(|name| name == object), is_index) {
        (true, _) => SchemaState::LeftOut,
        (false, true) => SchemaState::PutBack,
        (false, false) => SchemaState::PutBackEmpty,
    })
}

/// The statements of all tables and indexes, by name.
pub(super) fn objects(conn: &Connection) -> Result<BTreeMap<String, String>, StoreError> {
    Ok(conn
        .prepare("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")?
        .query_map([], |row| {
            Ok((row.get(0)?, row.get::<_, Option<String>>(1)?.unwrap_or_default()))
        })?
        .collect::<Result<_, _>>()?)
}

pub(super) fn faulty(objects: &BTreeMap<String, String>) -> impl Iterator<Item = &'static str> {
    our_objects()
        .filter(|(name, sql)| {
            objects.get(*name).is_none_or(|found| normalized(found) != normalized(sql))
        })
        .map(|(name, _)| name)
}

/// Name and statement of each table and index in `herdbook.sql`.
pub(super) fn our_objects() -> impl Iterator<Item = (&'static str, &'static str)> {
    HERDBOOK_TABLES.split(';').filter_map(|statement| {
        let sql = statement.find("CREATE ").map(|start| &statement[start..])?;
        let name = sql.split(" IF NOT EXISTS ").nth(1)?.split_whitespace().next()?;
        Some((name, sql))
    })
}

/// The statement as SQLite would keep it, white space and `IF NOT EXISTS` aside.
fn normalized(sql: &str) -> String {
    sql.replace(" IF NOT EXISTS ", " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A migration that rebuilt a table may have put one of our indexes back in another form (DESC is lost).
pub(super) fn drop_altered_indexes(conn: &Connection) -> Result<(), StoreError> {
    for (name, sql) in our_objects().filter(|(_, sql)| sql.contains(" INDEX ")) {
        let found: Option<String> = conn
            .query_row(
                "SELECT sql FROM sqlite_schema WHERE type = 'index' AND name = ?1",
                [name],
                |row| row.get(0),
            )
            .optional()?;
        if found.is_some_and(|found| normalized(&found) != normalized(sql)) {
            conn.execute_batch(&format!("DROP INDEX {name}"))?;
        }
    }
    Ok(())
}
