//! Fields and rows, independent of the file format.

use std::borrow::Cow;
use std::fmt;

use super::file_time::FileTime;
use crate::error::MarketError;
use crate::location::RowLocation;

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

    /// Number of fields.
    fn n_cells(&self) -> usize;

    /// The location of the row. Called only for error messages.
    fn location(&self) -> RowLocation;
}

/// The rows of a file, which can be read more than once.
pub(super) trait Table {
    /// Gives the rows to `sink`, one after the other, until it has enough.
    fn each_row(&self, sink: &mut impl RowSink) -> Result<(), MarketError>;

    /// About how many rows there are; 0 if unknown.
    fn n_expected(&self) -> usize;

    /// Whether a number may be written with a comma, an apostrophe or a blank inside. `false` saves a search for them.
    fn may_have_grouped_numbers(&self) -> bool;
}

/// Takes the rows of a table.
pub(super) trait RowSink {
    /// Takes a row.
    fn take(&mut self, row: &impl Row) -> Result<Flow, MarketError>;
}

/// Whether more rows are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Continue,
    Stop,
}

/// Texts that stand for a missing value, in lower case.
const MISSING: [&str; 12] =
    ["", "-", "--", ".", "null", "nan", "na", "n/a", "#n/a", "none", "nil", "<na>"];

impl Cell<'_> {
    /// Whether the field has no value.
    pub(super) fn is_missing(&self) -> bool {
        match self {
            Self::Text(text) => {
                text.len() <= 4 && MISSING.iter().any(|missing| text.eq_ignore_ascii_case(missing))
            }
            Self::Number(number) => number.is_nan(),
            Self::Time(_) => false,
            Self::Null => true,
        }
    }

    /// Whether the field is empty.
    pub(super) fn is_blank(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            other => *other == Self::Null,
        }
    }

    /// The field without a reference to its row.
    pub(super) fn into_owned(self) -> Cell<'static> {
        match self {
            Self::Text(text) => Cell::Text(Cow::Owned(text.into_owned())),
            Self::Number(number) => Cell::Number(number),
            Self::Time(time) => Cell::Time(time),
            Self::Null => Cell::Null,
        }
    }
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
