//! Access to a database: statements with numbered or named parameters, on SQLite or on PostgreSQL.
//!
//! The rest of the crate writes the SQL that both engines share; the few places where they differ are in
//! `dialect`. Nothing here knows a table.

mod conn;
mod dialect;
mod postgres;
mod row;
mod sqlite;
pub mod value;

pub use self::conn::Conn;
pub use self::dialect::Dialect;
pub use self::postgres::PostgresConn;
pub use self::row::{Args, Row};
pub use self::value::{FromColumn, ToValue};
pub use crate::params;
