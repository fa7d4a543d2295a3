//! Bars as Parquet, decoded in small batches. Memory grows with the rows that are decoded, not with the number of rows
//! that the file claims to have.

mod column;
mod no_panic;
mod schema;
mod value_kind;

use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
use bytes::Bytes;

use super::bar_reader::{BarReader, RawBars};
use super::cell::{Cell, Row};
use super::options::ReadOptions;
use crate::error::{MarketError, RowLocation};
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
    let about = reader.metadata().file_metadata();
    let table = BarTable::find(about.schema_descr(), file, options)?;
    let n_expected = usize::try_from(about.num_rows()).unwrap_or_default();
    let mut bars = BarReader::new(&table.header, file, options, n_expected.min(MAX_EXPECTED));
    let mut first_row = 1;
    for idx in 0..reader.num_row_groups() {
        let group = no_panic(|| reader.get_row_group(idx)).map_err(broken)?;
        let mut columns = no_panic(|| table.columns(&*group)).map_err(broken)?;
        loop {
            let batch = no_panic(|| Batch::next(&mut columns, BATCH_ROWS)).map_err(broken)?;
            if batch.n_rows == 0 {
                break;
            }
            for row in 0..batch.n_rows {
                bars.add(&BatchRow { batch: &batch, row, first_row })?;
            }
            first_row += batch.n_rows as u64;
        }
    }
    bars.finish(table.remarks.clone())
}

/// A row of a batch.
struct BatchRow<'a> {
    batch: &'a Batch,
    row: usize,
    /// Number of the batch's first row in the file.
    first_row: u64,
}

impl Row for BatchRow<'_> {
    fn cell(&self, column: usize) -> Cell<'_> {
        self.batch.cell(column, self.row)
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
        return format!("{text}; write it with snappy, gzip or zstd compression");
    }
    text
}
