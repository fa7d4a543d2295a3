//! Bars as Parquet, decoded in small batches. Memory grows with the rows that are decoded, not with the number of rows
//! that the file claims to have.

mod column;
mod no_panic;
mod schema;
mod value_kind;

use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
use bytes::Bytes;

use super::cell::{Cell, Flow, Row, RowSink, Table};
use super::named::read_bars_of;
use super::options::ReadOptions;
use super::raw_bars::RawBars;
use crate::error::MarketError;
use crate::location::RowLocation;
use column::Batch;
use no_panic::no_panic;
use schema::BarTable;

/// First bytes of a Parquet file.
const MAGIC: &[u8] = b"PAR1";
/// First bytes of a Parquet file with an encrypted footer.
const ENCRYPTED: &[u8] = b"PARE";
/// Number of rows decoded at once.
const BATCH_ROWS: usize = 8_192;
/// Memory for at most this many bars is reserved in advance, because a file may claim any number of rows.
const MAX_EXPECTED: usize = 1 << 22;

pub(super) fn is_parquet(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) || bytes.starts_with(ENCRYPTED)
}

pub(super) fn read(
    bytes: &[u8],
    file: &str,
    options: &ReadOptions,
) -> Result<RawBars, MarketError> {
    let broken = |error: ParquetError| MarketError::Parquet {
        file: file.to_owned(),
        problem: problem_of(&error),
    };
    let bytes = Bytes::copy_from_slice(bytes);
    let reader = no_panic(|| SerializedFileReader::new(bytes)).map_err(broken)?;
    let table = BarTable::find(reader.metadata().file_metadata().schema_descr(), file, options)?;
    let rows = Rows { reader: &reader, table: &table, file };
    read_bars_of(&rows, &table.header, file, options, table.remarks.clone())
}

/// The rows of the required columns.
struct Rows<'a> {
    reader: &'a SerializedFileReader<Bytes>,
    table: &'a BarTable,
    file: &'a str,
}

impl Table for Rows<'_> {
    fn each_row(&self, sink: &mut impl RowSink) -> Result<(), MarketError> {
        let broken = |error: ParquetError| MarketError::Parquet {
            file: self.file.to_owned(),
            problem: problem_of(&error),
        };
        let n_cells = self.table.header.names.len();
        let mut first_row = 1;
        for idx in 0..self.reader.num_row_groups() {
            let group = no_panic(|| self.reader.get_row_group(idx)).map_err(broken)?;
            let mut columns = no_panic(|| self.table.columns(&*group)).map_err(broken)?;
            loop {
                let batch = no_panic(|| Batch::next(&mut columns, BATCH_ROWS)).map_err(broken)?;
                if batch.n_rows == 0 {
                    break;
                }
                for row in 0..batch.n_rows {
                    if sink.take(&BatchRow { batch: &batch, row, first_row, n_cells })?
                        == Flow::Stop
                    {
                        return Ok(());
                    }
                }
                first_row += batch.n_rows as u64;
            }
        }
        Ok(())
    }

    fn n_expected(&self) -> usize {
        let n_rows = self.reader.metadata().file_metadata().num_rows();
        usize::try_from(n_rows).unwrap_or_default().min(MAX_EXPECTED)
    }

    fn may_have_grouped_numbers(&self) -> bool {
        self.table.has_texts()
    }
}

/// A row of a batch.
struct BatchRow<'a> {
    batch: &'a Batch,
    row: usize,
    /// Number of the batch's first row in the file.
    first_row: u64,
    /// Number of columns of the file.
    n_cells: usize,
}

impl Row for BatchRow<'_> {
    fn cell(&self, column: usize) -> Cell<'_> {
        self.batch.cell(column, self.row)
    }

    fn n_cells(&self) -> usize {
        self.n_cells
    }

    fn location(&self) -> RowLocation {
        RowLocation::Row(self.first_row + self.row as u64)
    }
}

/// The message of the decoder, with advice where there is some.
fn problem_of(error: &ParquetError) -> String {
    let text = match error {
        ParquetError::General(text) | ParquetError::NYI(text) | ParquetError::EOF(text) => {
            text.clone()
        }
        other => other.to_string(),
    };
    if text.contains("feature") || text.contains("compression") || text.contains("codec") {
        return format!("{text}; write it with snappy, gzip, zstd, brotli or lz4 compression");
    }
    text
}
