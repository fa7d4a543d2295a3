//! Reading columns as checked values.

use std::str::FromStr;

use crate::engine::db::Row;
use crate::error::StoreError;

/// A text column with a word of a closed set or a checked name. `what` names the row in an error.
pub(crate) fn checked<T: FromStr<Err: std::error::Error>>(
    row: &Row<'_>,
    column: usize,
    what: impl Fn() -> String,
) -> Result<T, StoreError> {
    row.get::<String>(column)?.parse().map_err(|error: T::Err| StoreError::BrokenRecord {
        what: what(),
        problem: error.to_string(),
    })
}

/// A text column that may be NULL. `what` names the row in an error.
pub(crate) fn optional<T, E: std::error::Error>(
    row: &Row<'_>,
    column: usize,
    parse: impl Fn(&str) -> Result<T, E>,
    what: impl Fn() -> String,
) -> Result<Option<T>, StoreError> {
    row.get::<Option<String>>(column)?
        .map(|text| {
            parse(&text).map_err(|error| StoreError::BrokenRecord {
                what: what(),
                problem: error.to_string(),
            })
        })
        .transpose()
}
