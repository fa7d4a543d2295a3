//! A row that cannot be read.

/// A row with a value of the wrong kind in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// The table.
    pub table: &'static str,
    /// The key of the row, in words.
    pub row: String,
    /// The column.
    pub column: String,
    /// The value, shortened.
    pub found: String,
    /// The kind of value that the column has, for example "an integer".
    pub expected: &'static str,
}
