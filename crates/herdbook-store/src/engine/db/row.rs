//! The arguments of a statement and the rows of its result.

use rusqlite::types::ValueRef;

use super::value::{FromColumn, ToValue};
use crate::error::StoreError;

/// A row of a result.
pub enum Row<'r> {
    /// Of SQLite.
    Sqlite(&'r rusqlite::Row<'r>),
    /// Of PostgreSQL.
    Postgres(&'r ::postgres::Row),
}

/// The values of a statement's parameters.
#[derive(Clone, Copy)]
pub enum Args<'a> {
    /// For `?1`, `?2` …
    Numbered(&'a [&'a dyn ToValue]),
    /// For `:name`. Names that the statement does not have are ignored.
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
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$(&$value as &dyn $crate::engine::db::value::ToValue),*] as &[&dyn $crate::engine::db::value::ToValue]
    };
}

/// `(?1, ?2), (?3, ?4)` for two rows of two columns.
pub(crate) fn placeholders(n_rows: usize, n_columns: usize) -> String {
    let row = |row: usize| {
        let numbers: Vec<String> =
            (1..=n_columns).map(|column| format!("?{}", row * n_columns + column)).collect();
        format!("({})", numbers.join(", "))
    };
    (0..n_rows).map(row).collect::<Vec<_>>().join(", ")
}

impl Row<'_> {
    /// The value in a column; the first is column 0.
    ///
    /// # Errors
    /// [`StoreError::BrokenRecord`] or an error of the database if the value is of another type.
    pub fn get<T: FromColumn>(&self, column: usize) -> Result<T, StoreError> {
        match self {
            Self::Sqlite(row) => {
                T::from_sqlite(row.get_ref(column)?).map_err(|kind| mismatch(row, column, kind))
            }
            Self::Postgres(row) => T::from_postgres(row, column),
        }
    }

    /// The value in a column; `None` if it is NULL or of another type. SQLite keeps any value in any column, and one such value
    /// must not hide the other rows. The doctor reports it.
    ///
    /// # Errors
    /// Those of the database.
    pub fn readable<T: FromColumn>(&self, column: usize) -> Result<Option<T>, StoreError> {
        match self.get::<Option<T>>(column) {
            Err(StoreError::BrokenRecord { .. }) => Ok(None),
            outcome => outcome,
        }
    }

    /// The text in a column, not copied; `None` if it is NULL or of another type.
    ///
    /// # Errors
    /// Those of the database.
    pub fn text(&self, column: usize) -> Result<Option<&str>, StoreError> {
        Ok(match self {
            Self::Sqlite(row) => match row.get_ref(column)? {
                ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok(),
                _ => None,
            },
            Self::Postgres(row) => row.try_get::<_, Option<&str>>(column).ok().flatten(),
        })
    }

    /// The value in a column as text, whatever its type; `None` if it is NULL. Bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    /// Those of the database.
    pub fn shown(&self, column: usize) -> Result<Option<String>, StoreError> {
        match self {
            Self::Sqlite(row) => Ok(match row.get_ref(column)? {
                ValueRef::Null => None,
                ValueRef::Integer(value) => Some(value.to_string()),
                ValueRef::Real(value) => Some(value.to_string()),
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                    Some(String::from_utf8_lossy(bytes).into_owned())
                }
            }),
            Self::Postgres(_) => self
                .get::<Option<String>>(column)
                .or_else(|_| self.text_of::<i64>(column))
                .or_else(|_| self.text_of::<f64>(column))
                .or_else(|_| self.text_of::<bool>(column)),
        }
    }

    fn text_of<T: FromColumn + ToString>(
        &self,
        column: usize,
    ) -> Result<Option<String>, StoreError> {
        Ok(self.get::<Option<T>>(column)?.map(|value| value.to_string()))
    }
}

/// The error of a column with a value of another type.
fn mismatch(row: &rusqlite::Row<'_>, column: usize, expected: &str) -> StoreError {
    let name = row.as_ref().column_name(column).unwrap_or("?").to_owned();
    StoreError::BrokenRecord {
        what: format!("a row with the column `{name}`"),
        problem: format!("it is not {expected}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_numbered_parameters() {
        assert_eq!(placeholders(2, 2), "(?1, ?2), (?3, ?4)");
    }
}
