//! JSON values as fields.

use serde_json::Value;

use crate::error::MarketError;
use crate::read::cell::Cell;

/// A JSON value as a field.
pub(super) fn cell(value: Option<&Value>) -> Cell<'_> {
    match value {
        None | Some(Value::Null) => Cell::Null,
        Some(Value::String(text)) => Cell::Text(text.trim().into()),
        Some(Value::Number(number)) => number.as_f64().map_or(Cell::Null, Cell::Number),
        Some(other) => Cell::Text(other.to_string().into()),
    }
}

/// The error for a file that is no JSON of bars.
pub(super) fn unreadable(file: &str, problem: &impl ToString) -> MarketError {
    MarketError::Json { file: file.to_owned(), problem: problem.to_string() }
}
