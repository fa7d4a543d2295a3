//! Bars as comma-separated text.

use ::csv::{ReaderBuilder, StringRecord};

use super::bars::{BarReader, RawBars};
use super::cell::{Cell, Row};
use super::header::{Header, delimiter_of};
use super::reading::Reading;
use super::{preamble, text};
use crate::MarketError;
use crate::error::Spot;

pub(super) fn read(bytes: &[u8], file: &str, reading: &Reading) -> Result<RawBars, MarketError> {
    let text = text::checked(bytes, file)?;
    let prepared = preamble::prepared(text, reading);
    let text = prepared.text.as_ref();
    let header = Header::parse(text, file, reading)?;
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter_of(text::first_line(text)))
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut remarks = prepared.remarks;
    remarks.extend(header.remarks());
    let mut bars = BarReader::new(&header, file, reading, text::count_lines(text));
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| text::unreadable(&error, text, file))? {
        let row = Line { record: &record, text, n_added: prepared.n_added };
        if record.len() != header.names.len() {
            return Err(MarketError::ColumnCount {
                file: file.to_owned(),
                spot: row.spot(),
                found: record.len(),
                expected: header.names.len(),
            });
        }
        bars.add(&row)?;
    }
    bars.finish(remarks)
}

/// A row of the file.
struct Line<'a> {
    record: &'a StringRecord,
    text: &'a str,
    /// Lines before the file's own first one.
    n_added: u64,
}

impl Row for Line<'_> {
    fn cell(&self, column: usize) -> Cell<'_> {
        Cell::Text(self.record[column].trim().into())
    }

    fn spot(&self) -> Spot {
        let start = self.record.position().map_or(0, ::csv::Position::byte);
        Spot::Line(text::line_of_record(self.text, start as usize) - self.n_added)
    }
}
