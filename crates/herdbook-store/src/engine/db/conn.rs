//! A connection to a database of either engine.

use super::dialect::Dialect;
use super::postgres::PostgresConn;
use super::row::{Args, Row};
use super::sqlite;
use crate::error::StoreError;

/// A connection to a database.
pub enum Conn {
    /// Of SQLite.
    Sqlite(rusqlite::Connection),
    /// Of PostgreSQL.
    Postgres(Box<PostgresConn>),
}

impl std::fmt::Debug for Conn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Conn({:?})", self.dialect())
    }
}

impl Conn {
    /// Runs a statement and returns the number of changed rows.
    ///
    /// # Errors
    /// Those of the database.
    pub fn execute<'a>(&self, sql: &str, args: impl Into<Args<'a>>) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(conn) => sqlite::execute(conn, sql, args.into()),
            Self::Postgres(conn) => conn.execute(sql, args.into()),
        }
    }

    /// Runs statements without parameters, separated by semicolons.
    ///
    /// # Errors
    /// Those of the database.
    pub fn execute_batch(&self, sql: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(conn) => Ok(conn.execute_batch(sql)?),
            Self::Postgres(conn) => conn.execute_batch(sql),
        }
    }

    /// Runs a query and reads each row with `read`.
    ///
    /// # Errors
    /// Those of the database and of `read`.
    pub fn query<'a, T>(
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

    /// Runs a query and reads its first row, if there is one.
    ///
    /// # Errors
    /// Those of the database and of `read`.
    pub fn query_first<'a, T>(
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

    /// Runs a query that always returns a row, and reads the first one.
    ///
    /// # Errors
    /// Those of the database and of `read`; an error if there is no row.
    pub fn query_row<'a, T>(
        &self,
        sql: &str,
        args: impl Into<Args<'a>>,
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.query_first(sql, args, read)?
            .ok_or_else(|| StoreError::Sqlite(rusqlite::Error::QueryReturnedNoRows))
    }

    /// The SQL dialect of the engine.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }
}
