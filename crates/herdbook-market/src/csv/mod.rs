//! Reading bars from the bytes of a csv file.
//!
//! Columns are known by their names, in any order and case; what cannot be read with certainty is
//! refused with the place and the value. Nothing is filled in, corrected or sorted; the one thing
//! dropped is a row that repeats the one above it exactly, and those are counted.

mod header;
mod length;
mod row;
mod text;
mod time;

use ::csv::{ReaderBuilder, StringRecord};

use crate::{Bar, MarketError};
use header::Header;
use row::RowReader;

pub use header::Column;

/// Bars as a file has them, before they are brought to a timeframe.
#[derive(Debug, Clone, PartialEq)]
pub struct RawBars {
    pub(crate) file: String,
    pub(crate) bars: Vec<Bar>,
    pub(crate) bar_length_ms: i64,
    n_repeated_rows: usize,
    columns: Vec<Column>,
}

impl RawBars {
    /// The bars, oldest first.
    pub fn as_slice(&self) -> &[Bar] {
        &self.bars
    }

    /// Length of one bar: the time that most often lies between two of them (of equally frequent
    /// ones the shortest), so that nights, weekends and missing bars do not mislead.
    pub fn bar_length_ms(&self) -> i64 {
        self.bar_length_ms
    }

    /// Rows dropped because they repeated the row above exactly.
    pub fn n_repeated_rows(&self) -> usize {
        self.n_repeated_rows
    }

    /// The columns that were recognised, in the order of the file.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }
}

/// Reads bars from a csv file's bytes; `file` names it in errors.
///
/// - **Header**: needed. `timestamp`, `time`, `date`, `datetime`, `open time` or `unix` (or one
///   `date` and one `time` column), `open`, `high`, `low`, `close` or their first letters, and
///   `volume`, `vol` or `v` (without one, volume is 0). Other columns are ignored. Fields are
///   separated by `,` `;` or a tab, whichever the header has most of.
/// - **Times**: ISO 8601 text, in UTC unless it has a zone; or epoch seconds or milliseconds,
///   decided by the size of the first and then the same for the whole file. They are the bars'
///   opens, oldest first.
pub fn read_csv(bytes: &[u8], file: &str) -> Result<RawBars, MarketError> {
    let text = text::checked(bytes, file)?;
    let header = Header::parse(text, file)?;
    let mut reader = ReaderBuilder::new()
        .delimiter(header.delimiter)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut rows = RowReader::new(&header, file, text);
    let mut record = StringRecord::new();
    let mut bars: Vec<Bar> = Vec::with_capacity(text::count_lines(text));
    let mut n_repeated_rows = 0;
    while reader.read_record(&mut record).map_err(|error| text::unreadable(&error, text, file))? {
        let bar = rows.bar(&record)?;
        if rows.is_repeated(bars.last(), &bar, &record)? {
            n_repeated_rows += 1;
        } else {
            bars.push(bar);
        }
    }
    let bar_length_ms = length::infer(&bars, file)?;
    Ok(RawBars {
        file: file.to_owned(),
        bars,
        bar_length_ms,
        n_repeated_rows,
        columns: header.columns,
    })
}
