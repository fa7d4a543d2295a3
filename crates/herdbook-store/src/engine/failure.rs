//! Errors of SQLite and PostgreSQL as variants of [`StoreError`]: one for each thing that a caller can do about them.

use std::time::Duration;

use crate::error::StoreError;

impl StoreError {
    /// Names the store in an error of its engine, and gives it the variant for what a caller can do about it.
    pub(crate) fn at(self, store: &str, waited: Duration) -> Self {
        let (store, waited_s) = (store.to_owned(), waited.as_secs());
        match self {
            Self::Sqlite(source) => Self::of_sqlite(source, store, waited_s),
            Self::Postgres(source) => Self::of_postgres(&source, store, waited_s),
            Self::NoFreeConnection { limit } => Self::StoreBusy { store, limit, waited_s },
            other => other,
        }
    }

    fn of_sqlite(source: rusqlite::Error, store: String, waited_s: u64) -> Self {
        use rusqlite::{ErrorCode, ffi};
        let extended = source.sqlite_error().map(|error| error.extended_code);
        if extended == Some(ffi::SQLITE_READONLY_DBMOVED) {
            return Self::Replaced { store };
        }
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Busy { store, waited_s }
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly { store },
            Some(ErrorCode::DiskFull) => Self::DiskFull { store },
            Some(ErrorCode::CannotOpen) => Self::CannotOpen { store },
            Some(ErrorCode::SystemIoFailure) => Self::InputOutput { store, source },
            Some(ErrorCode::NotADatabase) => Self::NotADatabase { store },
            Some(ErrorCode::DatabaseCorrupt) => {
                Self::Damaged { store, problem: source.to_string() }
            }
            _ => Self::Database { store, source },
        }
    }

    fn of_postgres(source: &postgres::Error, store: String, waited_s: u64) -> Self {
        use postgres::error::SqlState;
        let Some(error) = source.as_db_error() else {
            return Self::Unreachable { store, problem: with_causes(source) };
        };
        let code = error.code();
        if [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED].contains(code) {
            return Self::Busy { store, waited_s };
        }
        if [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(code) {
            return Self::Damaged { store, problem: error.message().to_owned() };
        }
        if *code == SqlState::DISK_FULL {
            return Self::DiskFull { store };
        }
        // Classes of SQLSTATE. 08: connection; 28: authorization; 3D: no such database; 57: shutting down.
        if ["28", "3D", "57", "08"].iter().any(|class| code.code().starts_with(class)) {
            return Self::Unreachable { store, problem: error.message().to_owned() };
        }
        let detail = error.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
        Self::Server { store, problem: format!("{}{detail}", error.message()) }
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
