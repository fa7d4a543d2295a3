//! One field of a row, as its file has it: text, or already a number or a moment.

use std::borrow::Cow;
use std::fmt;

use super::time::Moment;
use crate::error::Spot;

/// A field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    Text(Cow<'a, str>),
    Number(f64),
    Moment(Moment),
    /// No value, where a column may have none.
    Null,
}

/// A row of any kind of file.
pub(super) trait Row {
    /// The field of a column.
    fn cell(&self, column: usize) -> Cell<'_>;

    /// Where the row stands. Asked for only when an error needs it.
    fn spot(&self) -> Spot;
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Moment(moment) => write!(f, "{moment}"),
            Self::Null => f.write_str("null"),
        }
    }
}
