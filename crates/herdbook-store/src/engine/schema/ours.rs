//! Our own tables and indexes: what they should be, and which of them are not.

use std::collections::BTreeMap;

use herdbook_domain::{SchemaState, hex_sha256};

use crate::engine::db::{Conn, Dialect, params};
use crate::error::StoreError;

const HERDBOOK_TABLES: &str = include_str!("herdbook.sql");

/// The statements of all tables and indexes of an engine.
pub(super) fn tables(dialect: Dialect) -> String {
    let tag_value = match dialect {
        Dialect::Sqlite => "value",
        // As in `Dialect::indexed`.
        Dialect::Postgres => "(left(value, 200)) COLLATE \"C\"",
    };
    HERDBOOK_TABLES.replace("{tag_value}", tag_value)
}

/// Tables and indexes of ours that are missing or altered in a store that has been ours before.
pub(crate) fn faults(conn: &Conn) -> Result<Vec<&'static str>, StoreError> {
    let objects = objects(conn)?;
    let was_ours = our_objects().any(|(name, _)| objects.contains_key(name));
    Ok(if was_ours { faulty(conn.dialect(), &objects).collect() } else { Vec::new() })
}

/// What became of a fault after [`complete`](super::complete).
pub(crate) fn state_of(conn: &Conn, object: &str) -> Result<SchemaState, StoreError> {
    let is_index = our_objects().any(|(name, sql)| name == object && is_index(sql));
    let is_faulty = faulty(conn.dialect(), &objects(conn)?).any(|name| name == object);
    Ok(match (is_faulty, is_index) {
        (true, _) => SchemaState::LeftOut,
        (false, true) => SchemaState::PutBack,
        (false, false) => SchemaState::PutBackEmpty,
    })
}

/// All tables and indexes there are by name, with what tells whether they are as we made them: in SQLite the statement,
/// in PostgreSQL, which keeps none, the seal that we set on our indexes as a comment.
pub(super) fn objects(conn: &Conn) -> Result<BTreeMap<String, String>, StoreError> {
    let sql = match conn.dialect() {
        Dialect::Sqlite => {
            "SELECT name, coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"
        }
        Dialect::Postgres => {
            "SELECT c.relname::text, CASE WHEN i.indisvalid IS FALSE THEN ''
                 ELSE coalesce(obj_description(c.oid, 'pg_class'), '') END
             FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
             WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'i')"
        }
    };
    let objects = conn.query(sql, params![], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(objects.into_iter().collect())
}

pub(super) fn faulty(
    dialect: Dialect,
    objects: &BTreeMap<String, String>,
) -> impl Iterator<Item = &'static str> {
    our_objects()
        .filter(move |(name, sql)| {
            objects.get(*name).is_none_or(|found| !is_as_made(dialect, sql, found))
        })
        .map(|(name, _)| name)
}

fn is_as_made(dialect: Dialect, sql: &str, found: &str) -> bool {
    match dialect {
        Dialect::Sqlite => normalized(found) == normalized(&sql.replace("{tag_value}", "value")),
        Dialect::Postgres => !is_index(sql) || found == seal(sql),
    }
}

fn is_index(sql: &str) -> bool {
    sql.contains(" INDEX ")
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

/// What says of an index that this statement made it. An index that is dropped and made anew loses it.
fn seal(sql: &str) -> String {
    format!("herdbook {}", &hex_sha256(normalized(sql).as_bytes())[..16])
}

/// Sets the seals on our indexes, where the engine keeps no statements.
pub(super) fn seal_indexes(conn: &Conn) -> Result<(), StoreError> {
    if conn.dialect() == Dialect::Postgres {
        let there = objects(conn)?;
        for (name, sql) in
            our_objects().filter(|(name, sql)| is_index(sql) && there.contains_key(*name))
        {
            conn.execute_batch(&format!("COMMENT ON INDEX {name} IS '{}'", seal(sql)))?;
        }
    }
    Ok(())
}

/// A migration that rebuilt a table may have put one of our indexes back in another form (DESC is lost).
pub(super) fn drop_altered_indexes(conn: &Conn) -> Result<(), StoreError> {
    let there = objects(conn)?;
    for (name, sql) in our_objects().filter(|(_, sql)| is_index(sql)) {
        if there.get(name).is_some_and(|found| !is_as_made(conn.dialect(), sql, found)) {
            conn.execute_batch(&format!("DROP INDEX {name}"))?;
        }
    }
    Ok(())
}
