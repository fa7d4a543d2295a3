//! The one door to a database: statements with numbered or named parameters, on SQLite or on PostgreSQL.
//!
//! The rest of the crate writes the SQL that both engines share; the few places where they differ stand in
//! [`dialect`]. Nothing here knows a table.

mod dialect;
mod postgres;
mod sqlite;
mod value;

pub(crate) use self::dialect::Dialect;
pub(crate) use self::postgres::PostgresConn;
pub(crate) use self::value::{FromColumn, Kind, ToValue, Value};
use crate::StoreError;

/// A connection to a database.
pub(crate) enum Conn {
    Sqlite(rusqlite::Connection),
    Postgres(Box<PostgresConn>),
}

impl std::fmt::Debug for Conn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Conn({:?})", self.dialect())
    }
}

/// A row of an answer.
pub(crate) enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r ::postgres::Row),
}

/// The values of a statement's parameters.
#[derive(Clone, Copy)]
pub(crate) enum Args<'a> {
    /// For `?1`, `?2` …
    Numbered(&'a [&'a dyn ToValue]),
    /// For `:name`, all that the statement has; others are left alone.
    Named(&'a [(&'a str, &'a dyn ToValue)]),
}

impl<'a> From<&'a [&'a dyn ToValue]> for Args<'a> {
    fn from(values: &'a [&'a dyn ToValue]) -> Self {
        Self::Numbered(values)
    }
}

impl<'a, const N: usize> From<&'a [&'a dyn ToValue; N]> for Args<'a> {
    fn from(values: &'a [&'a dyn ToValue; N]) -> Self {
        Self::Numbered(values)
    }
}

impl<'a> From<&'a [(&'a str, &'a dyn ToValue)]> for Args<'a> {
    fn from(values: &'a [(&'a str, &'a dyn ToValue)]) -> Self {
        Self::Named(values)
    }
}

/// Values for the parameters `?1`, `?2` … of a statement.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$(&$value as &dyn $crate::db::ToValue),*] as &[&dyn $crate::db::ToValue]
    };
}
pub(crate) use params;

impl Conn {
    /// Changes rows, and answers how many.
    pub(crate) fn execute<'a>(
        &self,
        sql: &str,
        args: impl Into<Args<'a>>,
    ) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(conn) => sqlite::execute(conn, sql, args.into()),
            Self::Postgres(conn) => conn.execute(sql, args.into()),
        }
    }

    /// Runs several statements without parameters.
    pub(crate) fn execute_batch(&self, sql: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(conn) => Ok(conn.execute_batch(sql)?),
            Self::Postgres(conn) => conn.execute_batch(sql),
        }
    }

    /// Every row of an answer.
    pub(crate) fn query<'a, T>(
        &self,
        sql: &str,
        args: impl Into<Args<'a>>,
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        match self {
            Self::Sqlite(conn) => sqlite::query(conn, sql, args.into(), read),
            Self::Postgres(conn) => conn.query(sql, args.into(), read),
        }
    }

    /// The first row of an answer, if there is one.
    pub(crate) fn query_first<'a, T>(
        &self,
        sql: &str,
        args: impl Into<Args<'a>>,
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match self {
            Self::Sqlite(conn) => sqlite::query_first(conn, sql, args.into(), read),
            Self::Postgres(conn) => Ok(conn.query(sql, args.into(), read)?.into_iter().next()),
        }
    }

    /// The row of an answer that always has one.
    pub(crate) fn query_row<'a, T>(
        &self,
        sql: &str,
        args: impl Into<Args<'a>>,
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.query_first(sql, args, read)?
            .ok_or_else(|| StoreError::Sqlite(rusqlite::Error::QueryReturnedNoRows))
    }

    /// What the SQL of this engine has of its own.
    pub(crate) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }
}

impl Row<'_> {
    /// The value in a column, counted from 0.
    pub(crate) fn get<T: FromColumn>(&self, column: usize) -> Result<T, StoreError> {
        match self {
            Self::Sqlite(row) => T::from_sqlite(row.get_ref(column)?)
                .map_err(|kind| sqlite::mismatch(row, column, kind)),
            Self::Postgres(row) => T::from_postgres(row, column),
        }
    }
}
