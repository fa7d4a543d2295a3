//! Fields and rows, independent of the file format.

use std::borrow::Cow;
use std::fmt;

use super::time_text::FileTime;
use crate::error::RowLocation;

/// A field, as its file stores it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    Text(Cow<'a, str>),
    Number(f64),
    Time(FileTime),
    /// A missing value.
    Null,
}

/// A row of any file format.
pub(super) trait Row {
    /// The field of a column.
    fn cell(&self, column: usize) -> Cell<'_>;

    /// The location of the row. Called only for error messages.
    fn location(&self) -> RowLocation;
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Time(time) => write!(f, "{time}"),
            Self::Null => f.write_str("null"),
        }
    }
}
