//! Statements on PostgreSQL, each prepared once per connection.

use std::cell::RefCell;
use std::collections::HashMap;

use bytes::BytesMut;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Statement};

use super::row::{Args, Row};
use super::value::{Kind, ToValue, Value};
use crate::error::StoreError;

/// Most prepared statements of a connection.
const MAX_STATEMENTS: usize = 512;

/// A connection to a PostgreSQL server, with its prepared statements.
pub struct PostgresConn {
    inner: RefCell<Inner>,
}

struct Inner {
    client: Client,
    statements: HashMap<(String, Vec<Kind>), Statement>,
}

impl PostgresConn {
    /// A connection without prepared statements.
    pub fn new(client: Client) -> Self {
        Self { inner: RefCell::new(Inner { client, statements: HashMap::new() }) }
    }

    /// Whether the connection is known to be closed.
    pub fn is_closed(&self) -> bool {
        self.inner.borrow().client.is_closed()
    }

    pub(super) fn execute(&self, sql: &str, args: Args<'_>) -> Result<u64, StoreError> {
        let inner = &mut *self.inner.borrow_mut();
        let (statement, values) = inner.prepared(sql, args)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        Ok(inner.client.execute(&statement, &values)?)
    }

    pub(super) fn execute_batch(&self, sql: &str) -> Result<(), StoreError> {
        Ok(self.inner.borrow_mut().client.batch_execute(sql)?)
    }

    pub(super) fn query<T>(
        &self,
        sql: &str,
        args: Args<'_>,
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = {
            let inner = &mut *self.inner.borrow_mut();
            let (statement, values) = inner.prepared(sql, args)?;
            let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
            inner.client.query(&statement, &values)?
        };
        // The connection is free again, so `read` may run other queries.
        rows.iter().map(|row| read(&Row::Postgres(row))).collect()
    }
}

impl Inner {
    fn prepared<'a>(
        &mut self,
        sql: &str,
        args: Args<'a>,
    ) -> Result<(Statement, Vec<Value<'a>>), StoreError> {
        let (sql, values) = numbered(sql, args);
        let kinds: Vec<Kind> = values.iter().map(Value::kind).collect();
        let key = (sql, kinds);
        if let Some(statement) = self.statements.get(&key) {
            return Ok((statement.clone(), values));
        }
        let types: Vec<Type> = key.1.iter().map(|kind| kind.postgres_type()).collect();
        let statement = self.client.prepare_typed(&key.0, &types)?;
        // Searches make statements without end. Those of the acts are soon prepared again.
        if self.statements.len() >= MAX_STATEMENTS {
            self.statements.clear();
        }
        self.statements.insert(key, statement.clone());
        Ok((statement, values))
    }
}

impl Kind {
    const fn postgres_type(self) -> Type {
        match self {
            Self::Integer => Type::INT8,
            Self::Real => Type::FLOAT8,
            Self::Text => Type::TEXT,
            Self::Truth => Type::BOOL,
        }
    }
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Value::Null(_) => Ok(IsNull::Yes),
            Value::Integer(value) => value.to_sql(ty, out),
            Value::Real(value) => value.to_sql(ty, out),
            Value::Text(text) => text.to_sql(ty, out),
            Value::Truth(truth) => truth.to_sql(ty, out),
        }
    }

    /// The types that `Kind::postgres_type` gives to parameters.
    fn accepts(ty: &Type) -> bool {
        [Type::INT8, Type::FLOAT8, Type::TEXT, Type::BOOL].contains(ty)
    }

    to_sql_checked!();
}

/// The statement with `$1`, `$2` … in place of `?1`, `?2` … or `:name`, and its values in that order.
fn numbered<'a>(sql: &str, args: Args<'a>) -> (String, Vec<Value<'a>>) {
    match args {
        Args::Numbered(values) => {
            (sql.replace('?', "$"), values.iter().map(|value| value.to_value()).collect())
        }
        Args::Named(values) => with_numbers_for_names(sql, values),
    }
}

fn with_numbers_for_names<'a>(
    sql: &str,
    named: &'a [(&'a str, &'a dyn ToValue)],
) -> (String, Vec<Value<'a>>) {
    let mut numbered = String::with_capacity(sql.len());
    let mut values = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    let mut rest = sql;
    while let Some(start) = rest.find(':') {
        let (before, from_colon) = rest.split_at(start);
        let length = from_colon[1..]
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .map_or(from_colon.len(), |length| length + 1);
        let (name, after) = from_colon.split_at(length);
        numbered.push_str(before);
        match named.iter().find(|(known, _)| *known == name) {
            Some((known, value)) => {
                let idx = seen.iter().position(|one| one == known).unwrap_or_else(|| {
                    seen.push(known);
                    values.push(value.to_value());
                    seen.len() - 1
                });
                numbered.push_str(&format!("${}", idx + 1));
            }
            None => numbered.push_str(name),
        }
        rest = after;
    }
    numbered.push_str(rest);
    (numbered, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_numbers_in_the_order_of_their_first_use() {
        let named: [(&str, &dyn ToValue); 3] = [(":a", &1_i64), (":unused", &2_i64), (":b", &"x")];
        let (sql, values) = numbered("SELECT :b, :a, :a_other WHERE x = :b", Args::Named(&named));
        assert_eq!(sql, "SELECT $1, $2, :a_other WHERE x = $1");
        assert!(matches!(values[..], [Value::Text("x"), Value::Integer(1)]));
    }

    #[test]
    fn question_marks_become_dollars() {
        let values: [&dyn ToValue; 2] = [&1_i64, &None::<String>];
        let (sql, values) = numbered("SELECT ?2, ?1", Args::Numbered(&values));
        assert_eq!(sql, "SELECT $2, $1");
        assert!(matches!(values[..], [Value::Integer(1), Value::Null(Kind::Text)]));
    }
}
