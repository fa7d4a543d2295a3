//! Our own tables and indexes: their statements, and which of them are missing or altered.

use std::collections::BTreeMap;

use herdbook_domain::{SchemaState, hex_sha256};

use super::{registrations, seals};
use crate::engine::db::{Conn, Dialect, params};
use crate::error::StoreError;

const HERDBOOK_TABLES: &str = include_str!("herdbook.sql");
/// The table of layouts.
pub(super) const LAYOUTS: &str = "herdbook_schema";
/// The layout with which the tables of seals and of the place came.
const LAYOUT_OF_SEALS: i64 = 3;
/// The index that came within layout 3: builds without it can use a store that has it, so it is no layout of its own. Where it
/// is missing, it is added, and nothing was lost.
const ADDED_INDEX: &str = "herdbook_events_kind";

/// The table with the place of the store.
const PLACE: &str = "herdbook_place";

/// The statements that create all our tables and indexes, for an engine.
pub(super) fn tables(dialect: Dialect) -> String {
    let tag_value = match dialect {
        Dialect::Sqlite => "value",
        // As in `Dialect::indexed`.
        Dialect::Postgres => "(left(value, 200)) COLLATE \"C\"",
    };
    HERDBOOK_TABLES.replace("{tag_value}", tag_value)
}

/// Tables and indexes of ours that are missing or altered in a store that has been ours before. A table that came with a later
/// layout than the store's is not missing.
///
/// # Errors
/// Those of the database.
pub(crate) fn faults(conn: &Conn) -> Result<Vec<&'static str>, StoreError> {
    let objects = objects(conn)?;
    let was_ours = our_objects().any(|(name, _)| objects.contains_key(name));
    if !was_ours {
        return Ok(Vec::new());
    }
    let layout = if objects.contains_key(LAYOUTS) { layout(conn)? } else { None };
    let is_expected = |name: &&str| layout.is_none_or(|layout| layout_of(name) <= layout);
    Ok(faulty(conn.dialect(), &objects).filter(is_expected).collect())
}

/// The tables that should repeat facts from the log and do not. Reads the whole log.
///
/// # Errors
/// Those of the database.
pub(crate) fn disagree_with_log(conn: &Conn) -> Result<Vec<&'static str>, StoreError> {
    let objects = objects(conn)?;
    let are_whole = |names: &[&str]| {
        names.iter().all(|name| {
            objects.contains_key(*name)
                && !faulty(conn.dialect(), &objects).any(|faulty| faulty == *name)
        })
    };
    let mut disagreeing = Vec::new();
    if !are_whole(&["herdbook_events"]) {
        return Ok(disagreeing);
    }
    if are_whole(&[registrations::TABLE])
        && !readable(registrations::agree_with_log(conn))?.unwrap_or(false)
    {
        disagreeing.push(registrations::TABLE);
    }
    if are_whole(&seals::TABLES) {
        disagreeing.extend(
            readable(seals::disagreement_with_log(conn))?.unwrap_or(Some(seals::TABLES[0])),
        );
    }
    Ok(disagreeing)
}

/// The result of a comparison; `None` if a row has a value that its column does not allow.
fn readable<T>(compared: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match compared {
        Err(StoreError::BrokenRecord { .. }) => Ok(None),
        compared => compared.map(Some),
    }
}

/// Whether the store has the table of registrations. A read-only store of an older layout has not.
///
/// # Errors
/// Those of the database.
pub(crate) fn has_registrations(conn: &Conn) -> Result<bool, StoreError> {
    Ok(objects(conn)?.contains_key(registrations::TABLE))
}

/// Whether the store has the tables of seals. A read-only store of an older layout has not.
///
/// # Errors
/// Those of the database.
pub(crate) fn has_seals(conn: &Conn) -> Result<bool, StoreError> {
    let objects = objects(conn)?;
    Ok(seals::TABLES.iter().all(|table| objects.contains_key(*table)))
}

/// Whether the store has had the tables of seals.
///
/// # Errors
/// Those of the database.
pub(crate) fn had_seals(conn: &Conn) -> Result<bool, StoreError> {
    let has_layouts = objects(conn)?.contains_key(LAYOUTS);
    Ok(has_layouts && layout(conn)?.is_some_and(|layout| layout >= LAYOUT_OF_SEALS))
}

/// The newest layout that a store of ours has had; `None` if its row is missing.
///
/// # Errors
/// Those of the database.
pub(super) fn layout(conn: &Conn) -> Result<Option<i64>, StoreError> {
    let sql = format!("SELECT max(version) FROM {LAYOUTS}");
    conn.query_row(&sql, params![], |row| row.get(0))
}

/// The layout with which a table or index of ours came.
fn layout_of(object: &str) -> i64 {
    match object {
        registrations::TABLE => 2,
        PLACE
        | "herdbook_seals"
        | "herdbook_seals_kind"
        | "herdbook_seals_run"
        | "herdbook_sealed_metrics"
        | "herdbook_best_sealed" => LAYOUT_OF_SEALS,
        ADDED_INDEX => LAYOUT_OF_SEALS + 1,
        _ => 1,
    }
}

/// The state of a table or index of ours after [`complete`](super::complete) that was missing or altered before.
///
/// # Errors
/// Those of the database.
pub(crate) fn state_of(conn: &Conn, object: &str) -> Result<SchemaState, StoreError> {
    let is_index = our_objects().any(|(name, sql)| name == object && is_index(sql));
    let is_refilled =
        [registrations::TABLE, PLACE, LAYOUTS].contains(&object) || seals::TABLES.contains(&object);
    let is_faulty = faulty(conn.dialect(), &objects(conn)?).any(|name| name == object);
    Ok(match (is_faulty, is_index || is_refilled) {
        (true, _) => SchemaState::LeftOut,
        (false, true) => SchemaState::PutBack,
        (false, false) => SchemaState::PutBackEmpty,
    })
}

/// All tables and indexes of the database by name, each with a text that shows whether it is as we created it: in SQLite its
/// statement; in PostgreSQL, which does not keep statements, our [`seal`] in the comment of the index.
pub(super) fn objects(conn: &Conn) -> Result<BTreeMap<String, String>, StoreError> {
    let sql = match conn.dialect() {
        Dialect::Sqlite => {
            "SELECT name, coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'"
        }
        Dialect::Postgres => {
            "SELECT c.relname::text, CASE WHEN i.indisvalid IS FALSE THEN ''
                 ELSE coalesce(obj_description(c.oid, 'pg_class'), '') END
             FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
             WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'i')
             UNION ALL
             SELECT c.relname::text, 'CREATE VIEW' FROM pg_class c
             WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('v', 'm', 'f')"
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

/// A statement as SQLite keeps it, without `IF NOT EXISTS` and with single spaces.
fn normalized(sql: &str) -> String {
    sql.replace(" IF NOT EXISTS ", " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The mark of an index that this statement created. An index that another program drops and creates again has no mark.
fn seal(sql: &str) -> String {
    format!("herdbook {}", &hex_sha256(normalized(sql).as_bytes())[..16])
}

/// Marks our indexes with their seals, on the engine that does not keep statements.
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

/// Drops the tables that repeat facts from the log and are not as we created them, so that they are created and filled
/// again. The two tables of seals are filled together.
pub(super) fn drop_altered_projections(conn: &Conn) -> Result<(), StoreError> {
    let there = objects(conn)?;
    let faulty: Vec<&str> = faulty(conn.dialect(), &there).collect();
    for group in [&[registrations::TABLE][..], &seals::TABLES] {
        if group.iter().any(|table| faulty.contains(table)) {
            for table in group {
                conn.execute_batch(&format!("DROP TABLE IF EXISTS {table}"))?;
            }
        }
    }
    Ok(())
}

/// Drops our indexes that are not as we created them: a migration that rebuilt a table may have lost their DESC.
pub(super) fn drop_altered_indexes(conn: &Conn) -> Result<(), StoreError> {
    let there = objects(conn)?;
    for (name, sql) in our_objects().filter(|(_, sql)| is_index(sql)) {
        if there.get(name).is_some_and(|found| !is_as_made(conn.dialect(), sql, found)) {
            conn.execute_batch(&format!("DROP INDEX {name}"))?;
        }
    }
    Ok(())
}
