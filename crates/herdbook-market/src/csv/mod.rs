//! Reading bars from the bytes of a csv file.
//!
//! Columns are known by their names, in any order and case; what cannot be read with certainty is
//! refused with the place and the value. Nothing is filled in, corrected or sorted (a file that goes back in
//! time throughout is turned round, and says so); the one thing dropped is a row that repeats the one above
//! it exactly, and those are counted.

mod header;
mod length;
mod packed;
mod preamble;
mod reading;
mod row;
mod text;
mod time;

use ::csv::{ReaderBuilder, StringRecord};

use crate::{Bar, MarketError};
use header::Header;
use row::{Order, RowReader};
use time::TimeStyle;

pub use header::Column;
pub use reading::{Reading, UtcOffset};

/// Bars as a file has them, before they are brought to a timeframe.
#[derive(Debug, Clone, PartialEq)]
pub struct RawBars {
    pub(crate) file: String,
    pub(crate) bars: Vec<Bar>,
    pub(crate) bar_length_ms: i64,
    n_repeated_rows: usize,
    columns: Vec<Column>,
    remarks: Vec<String>,
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

    /// What was recognised or left out, in sentences for the user.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The columns that were recognised, in the order of the file.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }
}

/// Reads bars from the bytes of a csv file that says everything of itself; see [`read_csv_as`].
pub fn read_csv(bytes: &[u8], file: &str) -> Result<RawBars, MarketError> {
    read_csv_as(bytes, file, &Reading::default())
}

/// Reads bars from a csv file's bytes; `file` names it in errors.
///
/// - **File**: text in UTF-8, plain or gzipped.
/// - **Header**: needed, in one of the first eight lines, unless `reading` gives one. `timestamp`, `time`, `date`,
///   `datetime`, `open time`, `unix` … (or one `date` and one `time` column), `open`, `high`, `low`, `close` or
///   their first letters, `volume` and the like (without one, volume is 0; of several, `reading` chooses). An
///   instrument's name before them is recognised. Other columns are ignored. Fields are separated by `,` `;`
///   or a tab, whichever the header has most of.
/// - **Times**: ISO 8601 text, also with a 12-hour clock, in UTC unless they have a zone or `reading` gives one;
///   or epoch seconds to nanoseconds, decided by the size of the first and then the same for the whole file. They
///   are the bars' opens, oldest or newest first. Programs that are known to write local times must have their zone given.
pub fn read_csv_as(bytes: &[u8], file: &str, reading: &Reading) -> Result<RawBars, MarketError> {
    let unpacked = packed::unpacked(bytes, file)?;
    let text = text::checked(&unpacked, file)?;
    let prepared = preamble::prepared(text, reading);
    let text = prepared.text.as_ref();
    let header = Header::parse(text, file, reading)?;
    let mut reader = ReaderBuilder::new()
        .delimiter(header.delimiter)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut rows = RowReader::new(&header, file, text, reading.zone, prepared.n_added);
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
    let mut remarks = prepared.remarks;
    remarks.extend(header.remarks());
    if let Some(style @ (TimeStyle::Microseconds | TimeStyle::Nanoseconds)) = rows.style() {
        remarks.push(format!("times are {}", style.as_str()));
    }
    if let Some(zone) = reading.zone {
        remarks.push(format!("times without a zone are read as {zone}"));
    }
    if rows.order() == Order::NewestFirst {
        bars.reverse();
        remarks.push("newest first: turned round".to_owned());
    }
    let bar_length_ms = length::infer(&bars, file)?;
    Ok(RawBars {
        file: file.to_owned(),
        bars,
        bar_length_ms,
        n_repeated_rows,
        columns: header.columns,
        remarks,
    })
}
