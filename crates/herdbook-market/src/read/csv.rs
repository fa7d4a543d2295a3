//! Bars as comma-separated text.

use ::csv::{ReaderBuilder, StringRecord};

use super::bar_reader::{BarReader, RawBars};
use super::cell::{Cell, Row};
use super::header::{Header, delimiter_of};
use super::options::ReadOptions;
use super::{preamble, text};
use crate::error::MarketError;
use crate::error::RowLocation;

pub(super) fn read(
    bytes: &[u8],
    file: &str,
    options: &ReadOptions,
) -> Result<RawBars, MarketError> {
    let text = text::checked(bytes, file)?;
    let prepared = preamble::prepared(text, options);
    let text = prepared.text.as_ref();
    let header = Header::parse(text, file, options)?;
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter_of(text::first_line(text)))
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut remarks = prepared.remarks;
    remarks.extend(header.remarks());
    let mut bars = BarReader::new(&header, file, options, text::count_lines(text));
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| text::unreadable(&error, text, file))? {
        let row = Line { record: &record, text, n_added: prepared.n_added };
        if record.len() != header.names.len() {
            return Err(MarketError::ColumnCount {
                file: file.to_owned(),
                row: row.location(),
                found: record.len(),
                expected: header.names.len(),
            });
        }
        bars.add(&row)?;
    }
    Ok(bars.finish(remarks)?.of_instrument(prepared.instrument))
}

/// A row of the file.
struct Line<'a> {
    record: &'a StringRecord,
    text: &'a str,
    /// Number of lines that were added before the first line of the file.
    n_added: u64,
}

impl Row for Line<'_> {
    fn cell(&self, column: usize) -> Cell<'_> {
        Cell::Text(self.record[column].trim().into())
    }

    fn location(&self) -> RowLocation {
        let start = self.record.position().map_or(0, ::csv::Position::byte);
        RowLocation::Line(text::line_of_record(self.text, start as usize) - self.n_added)
    }
}
