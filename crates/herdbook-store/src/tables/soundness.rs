//! Values that their columns do not allow.
//!
//! SQLite keeps a value of any type in any column, and text that is not UTF-8. One such value must not hide the other rows: reads
//! skip it, and the doctor reports it from here. PostgreSQL checks each value when it is written.

use herdbook_domain::BadRow;

use crate::engine::db::{Conn, Dialect, Row, params};
use crate::error::StoreError;

/// The tables that are checked. Of the logged metrics, which can be many, only the last ones are read by rules.
const TABLES: [&str; 15] = [
    "experiments",
    "runs",
    "tags",
    "params",
    "latest_metrics",
    "registered_models",
    "registered_model_tags",
    "registered_model_aliases",
    "model_versions",
    "model_version_tags",
    "herdbook_events",
    "herdbook_registrations",
    "herdbook_seals",
    "herdbook_sealed_metrics",
    "herdbook_leases",
];
/// The most rows that are reported.
const MAX_ROWS: usize = 100;
/// Longest value that is shown, in characters.
const MAX_SHOWN: usize = 60;

/// The kind of value that a column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Number,
    Truth,
}

#[derive(Debug)]
struct Column {
    name: String,
    kind: Kind,
    may_be_null: bool,
    is_key: bool,
}

/// Every value of the wrong kind, at most [`MAX_ROWS`].
///
/// # Errors
/// Those of the database.
pub(crate) fn bad_rows(conn: &Conn) -> Result<Vec<BadRow>, StoreError> {
    let mut bad = Vec::new();
    if conn.dialect() == Dialect::Postgres {
        return Ok(bad);
    }
    for table in TABLES {
        let columns = columns(conn, table)?;
        if columns.is_empty() {
            continue;
        }
        let names: Vec<String> =
            columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
        let sql = format!("SELECT {} FROM {table}", names.join(", "));
        conn.query(&sql, params![], |row| {
            for (idx, column) in columns.iter().enumerate() {
                if bad.len() < MAX_ROWS && !is_sound(row, idx, column)? {
                    bad.push(bad_row(table, row, idx, &columns)?);
                }
            }
            Ok(())
        })?;
    }
    Ok(bad)
}

fn columns(conn: &Conn, table: &str) -> Result<Vec<Column>, StoreError> {
    let columns = conn.query(
        "SELECT name, upper(type), \"notnull\", pk FROM pragma_table_info(?1)",
        params![table],
        |row| {
            let declared: String = row.get(1)?;
            let kind = match declared.split('(').next().unwrap_or_default() {
                "VARCHAR" | "TEXT" => Kind::Text,
                "INTEGER" | "BIGINT" => Kind::Integer,
                "FLOAT" => Kind::Number,
                "BOOLEAN" => Kind::Truth,
                _ => return Ok(None),
            };
            let may_be_null = !row.get::<bool>(2)?;
            Ok(Some(Column { name: row.get(0)?, kind, may_be_null, is_key: row.get(3)? }))
        },
    )?;
    Ok(columns.into_iter().flatten().collect())
}

fn is_sound(row: &Row<'_>, idx: usize, column: &Column) -> Result<bool, StoreError> {
    let is_null = row.shown(idx)?.is_none();
    if is_null {
        return Ok(column.may_be_null);
    }
    Ok(match column.kind {
        Kind::Text => row.readable::<String>(idx)?.is_some(),
        Kind::Integer => row.readable::<i64>(idx)?.is_some(),
        Kind::Number => row.readable::<f64>(idx)?.is_some(),
        Kind::Truth => row.readable::<i64>(idx)?.is_some_and(|truth| truth == 0 || truth == 1),
    })
}

fn bad_row(
    table: &'static str,
    row: &Row<'_>,
    idx: usize,
    columns: &[Column],
) -> Result<BadRow, StoreError> {
    let mut key = Vec::new();
    for (idx, column) in columns.iter().enumerate().filter(|(_, column)| column.is_key) {
        if column.name != "workspace" {
            key.push(format!("{} `{}`", column.name, shown(row, idx)?));
        }
    }
    Ok(BadRow {
        table,
        row: key.join(", "),
        column: columns[idx].name.clone(),
        found: shown(row, idx)?,
        expected: match columns[idx].kind {
            Kind::Text => "text in UTF-8",
            Kind::Integer => "an integer",
            Kind::Number => "a number",
            Kind::Truth => "0 or 1",
        },
    })
}

/// A value in one line, shortened.
fn shown(row: &Row<'_>, idx: usize) -> Result<String, StoreError> {
    let text = row.shown(idx)?.unwrap_or_else(|| "NULL".to_owned());
    Ok(text.chars().take(MAX_SHOWN).map(|c| if c.is_control() { '?' } else { c }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::memory;

    #[test]
    fn each_value_of_the_wrong_kind_is_named_with_its_row() {
        let conn = memory::create().unwrap();
        assert_eq!(bad_rows(&conn).unwrap(), []);
        conn.execute_batch(
            "INSERT INTO model_versions (name, version, creation_time, source, workspace) VALUES
                ('model', 1, 'yesterday', CAST(x'ff' AS TEXT), 'default'),
                ('model', 2, NULL, NULL, 'default');
             INSERT INTO tags (key, value, run_uuid) VALUES ('note', x'fffe', 'a');
             INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)
                VALUES ('m', 'many', 0, 1.5, 0, 'a')",
        )
        .unwrap();
        let bad = bad_rows(&conn).unwrap();
        let found: Vec<_> = bad
            .iter()
            .map(|bad| (bad.table, bad.row.as_str(), bad.column.as_str(), bad.expected))
            .collect();
        assert_eq!(
            found,
            [
                ("tags", "key `note`, run_uuid `a`", "value", "text in UTF-8"),
                ("latest_metrics", "key `m`, run_uuid `a`", "value", "a number"),
                ("latest_metrics", "key `m`, run_uuid `a`", "step", "an integer"),
                ("model_versions", "name `model`, version `1`", "creation_time", "an integer"),
                ("model_versions", "name `model`, version `1`", "source", "text in UTF-8"),
            ]
        );
    }
}
