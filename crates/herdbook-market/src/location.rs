//! Locations in a data file, for error messages.

use std::fmt;

/// The location of a field in a data file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldLocation {
    /// Name of the file, as the caller gave it.
    pub file: String,
    /// The row.
    pub row: RowLocation,
    /// Name of the column, as the header spells it.
    pub column: String,
}

/// The location of a row in a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowLocation {
    /// Line of a text file, from 1; the header usually is line 1.
    Line(u64),
    /// Row of a table, from 1.
    Row(u64),
}

impl fmt::Display for FieldLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}, column `{}`", self.file, self.row, self.column)
    }
}

impl fmt::Display for RowLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Row(row) => write!(f, "row {row}"),
        }
    }
}
