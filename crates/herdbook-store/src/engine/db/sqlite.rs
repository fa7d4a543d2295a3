//! Statements on SQLite, each prepared once per connection.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, Rows, ToSql};

use super::row::{Args, Row};
use super::value::Value;
use crate::error::StoreError;

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null(_) => ValueRef::Null,
            Value::Integer(value) => ValueRef::Integer(*value),
            Value::Real(value) => ValueRef::Real(*value),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Truth(truth) => ValueRef::Integer(i64::from(*truth)),
        }))
    }
}

pub(super) fn execute(conn: &Connection, sql: &str, args: Args<'_>) -> Result<u64, StoreError> {
    let mut statement = bound(conn, sql, args)?;
    Ok(statement.raw_execute()? as u64)
}

pub(super) fn query<T>(
    conn: &Connection,
    sql: &str,
    args: Args<'_>,
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = bound(conn, sql, args)?;
    let mut rows = statement.raw_query();
    let mut answer = Vec::new();
    while let Some(item) = next(&mut rows, &mut read)? {
        answer.push(item);
    }
    Ok(answer)
}

pub(super) fn query_first<T>(
    conn: &Connection,
    sql: &str,
    args: Args<'_>,
    mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let mut statement = bound(conn, sql, args)?;
    let mut rows = statement.raw_query();
    next(&mut rows, &mut read)
}

fn next<T>(
    rows: &mut Rows<'_>,
    read: &mut impl FnMut(&Row<'_>) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    match rows.next()? {
        Some(row) => read(&Row::Sqlite(row)).map(Some),
        None => Ok(None),
    }
}

fn bound<'c>(
    conn: &'c Connection,
    sql: &str,
    args: Args<'_>,
) -> Result<CachedStatement<'c>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    match args {
        Args::Numbered(values) => {
            for (idx, value) in values.iter().enumerate() {
                statement.raw_bind_parameter(idx + 1, value.to_value())?;
            }
        }
        Args::Named(values) => {
            for (name, value) in values {
                if let Some(idx) = statement.parameter_index(name)? {
                    statement.raw_bind_parameter(idx, value.to_value())?;
                }
            }
        }
    }
    Ok(statement)
}
