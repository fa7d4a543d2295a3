//! PostgreSQL's own check of tables and indexes, by its extension `amcheck` where an administrator installed it.

use postgres::error::SqlState;

use crate::engine::backend::EngineCheck;
use crate::engine::db::{Conn, params};
use crate::error::StoreError;

/// The most problems that are reported.
const MAX_PROBLEMS: usize = 20;

/// Checks every table and B-tree index of the schema.
///
/// # Errors
/// Those of reaching the server. Damage is in the result.
pub(super) fn check(conn: &Conn) -> Result<EngineCheck, StoreError> {
    let installed = "SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'amcheck')";
    if !conn.query_row(installed, params![], |row| row.get(0))? {
        return Ok(EngineCheck::Unavailable(
            "the extension `amcheck` is not installed: an administrator can run `CREATE EXTENSION amcheck` in the database"
                .to_owned(),
        ));
    }
    let mut problems = Vec::new();
    for (relation, is_index) in relations(conn)? {
        match check_relation(conn, &relation, is_index) {
            Ok(found) => problems.extend(found),
            Err(error) => match damage(&error) {
                Damage::Found(problem) => problems.push(format!("`{relation}`: {problem}")),
                Damage::NotPermitted(problem) => {
                    return Ok(EngineCheck::Unavailable(format!(
                        "this user may not run `amcheck` ({problem})"
                    )));
                }
                Damage::None => return Err(error),
            },
        }
        if problems.len() >= MAX_PROBLEMS {
            break;
        }
    }
    Ok(EngineCheck::Done(problems))
}

/// The tables and B-tree indexes of the schema that have their own pages.
fn relations(conn: &Conn) -> Result<Vec<(String, bool)>, StoreError> {
    conn.query(
        "SELECT format('%I.%I', n.nspname, c.relname), c.relkind = 'i'
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             LEFT JOIN pg_am a ON a.oid = c.relam
         WHERE n.nspname = current_schema() AND c.relpersistence = 'p'
           AND (c.relkind = 'r' OR (c.relkind = 'i' AND a.amname = 'btree'))
         ORDER BY c.relkind DESC, c.relname",
        params![],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

fn check_relation(conn: &Conn, relation: &str, is_index: bool) -> Result<Vec<String>, StoreError> {
    if is_index {
        let sql = "SELECT 1 FROM (SELECT bt_index_check(to_regclass(?1), true)) checked";
        conn.query(sql, params![relation], |_| Ok(()))?;
        return Ok(Vec::new());
    }
    conn.query(
        &format!(
            "SELECT coalesce(msg, '') FROM verify_heapam(to_regclass(?1)) LIMIT {MAX_PROBLEMS}"
        ),
        params![relation],
        |row| Ok(format!("`{relation}`: {}", row.get::<String>(0)?)),
    )
}

enum Damage {
    Found(String),
    NotPermitted(String),
    None,
}

fn damage(error: &StoreError) -> Damage {
    let StoreError::Postgres(source) = error else { return Damage::None };
    let Some(error) = source.as_db_error() else { return Damage::None };
    let code = error.code();
    if [SqlState::INSUFFICIENT_PRIVILEGE, SqlState::UNDEFINED_FUNCTION].contains(code) {
        return Damage::NotPermitted(error.message().to_owned());
    }
    let damaged = [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED, SqlState::INTERNAL_ERROR];
    if damaged.contains(code) {
        return Damage::Found(error.message().to_owned());
    }
    Damage::None
}
