//! Access to a database: statements with numbered or named parameters, on SQLite or on PostgreSQL.
//!
//! The rest of the crate writes SQL that both engines understand; [`Dialect`] has the few differences. Nothing here depends
//! on a table.

mod conn;
mod dialect;
mod postgres;
mod row;
mod sqlite;
pub mod value;

pub use self::conn::Conn;
pub use self::dialect::Dialect;
pub use self::postgres::PostgresConn;
pub(crate) use self::row::placeholders;
pub use self::row::{Args, Row};
pub use self::value::{FromColumn, ToValue};
pub use crate::params;
