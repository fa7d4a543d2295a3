//! SQLite's own check of a database file, and its check of references between tables.

use rusqlite::ErrorCode;

use crate::engine::backend::EngineCheck;
use crate::engine::db::{Conn, params};
use crate::error::StoreError;

/// The most problems that are reported: one damaged page can cause thousands.
const MAX_PROBLEMS: usize = 20;

/// Runs both checks.
///
/// # Errors
/// Those of reaching the file. Damage is in the result.
pub(super) fn check(conn: &Conn) -> Result<EngineCheck, StoreError> {
    let mut problems = Vec::new();
    // A damaged file can also end a check with an error.
    for found in [integrity(conn), references(conn)] {
        match found {
            Ok(found) => problems.extend(found),
            Err(error) if is_damage(&error) => problems.push(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    Ok(EngineCheck::Done(problems))
}

fn integrity(conn: &Conn) -> Result<Vec<String>, StoreError> {
    let sql = format!("PRAGMA integrity_check({MAX_PROBLEMS})");
    let lines: Vec<String> =
        conn.query(&sql, params![], |row| Ok(row.shown(0)?.unwrap_or_default()))?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

/// Rows that refer to a row that does not exist, counted by the two tables.
fn references(conn: &Conn) -> Result<Vec<String>, StoreError> {
    conn.query(
        "SELECT \"table\", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2 ORDER BY 1, 2",
        params![],
        |row| {
            let (table, parent) = (row.shown(0)?, row.shown(1)?);
            let n: i64 = row.get(2)?;
            Ok(format!(
                "{n} {} of `{}` {} to a row of `{}` that does not exist",
                if n == 1 { "row" } else { "rows" },
                table.unwrap_or_default(),
                if n == 1 { "refers" } else { "refer" },
                parent.unwrap_or_default(),
            ))
        },
    )
}

fn is_damage(error: &StoreError) -> bool {
    let StoreError::Sqlite(error) = error else { return false };
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::SystemIoFailure
                | ErrorCode::Unknown
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_that_refers_to_nothing_is_counted() {
        let conn = crate::engine::memory::create().unwrap();
        assert_eq!(check(&conn).unwrap(), EngineCheck::Done(Vec::new()));
        conn.execute_batch("INSERT INTO tags (key, value, run_uuid) VALUES ('a', 'b', 'c')")
            .unwrap();
        let problems =
            vec!["1 row of `tags` refers to a row of `runs` that does not exist".to_owned()];
        assert_eq!(check(&conn).unwrap(), EngineCheck::Done(problems));
    }
}
