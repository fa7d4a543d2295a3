//! Bars as Parquet, decoded in small batches: whatever a file claims of itself, memory grows with the bars that are there.

mod column;
mod schema;

use std::panic::{self, AssertUnwindSafe};

use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
use bytes::Bytes;

use super::bars::{BarReader, RawBars};
use super::cell::{Cell, Row};
use super::reading::Reading;
use crate::MarketError;
use crate::error::Spot;
use column::Batch;
use schema::Table;

/// First bytes of a Parquet file.
const MAGIC: &[u8] = b"PAR1";
/// First bytes of one whose footer is encrypted.
const ENCRYPTED: &[u8] = b"PARE";
/// Rows decoded at once.
const BATCH_ROWS: usize = 8_192;
/// Room for more bars than this is not made before they are there: a file may claim any number.
const MAX_EXPECTED: usize = 1 << 22;

pub(super) fn is_parquet(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) || bytes.starts_with(ENCRYPTED)
}

thread_local! {
    static IS_DECODING: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Whether this thread is decoding a Parquet file, so that a panic is caught and becomes an error: a program whose
/// panics are printed can leave that one out.
pub fn is_decoding() -> bool {
    IS_DECODING.get()
}

pub(super) fn read(bytes: &[u8], file: &str, reading: &Reading) -> Result<RawBars, MarketError> {
    let broken = |error: ParquetError| MarketError::Parquet {
        file: file.to_owned(),
        problem: problem_of(&error),
    };
    let bytes = Bytes::copy_from_slice(bytes);
    let reader = guarded(|| SerializedFileReader::new(bytes)).map_err(broken)?;
    let about = reader.metadata().file_metadata();
    let table = Table::find(about.schema_descr(), file, reading)?;
    let n_expected = usize::try_from(about.num_rows()).unwrap_or_default();
    let mut bars = BarReader::new(&table.header, file, reading, n_expected.min(MAX_EXPECTED));
    let mut first_row = 1;
    for idx in 0..reader.num_row_groups() {
        let group = guarded(|| reader.get_row_group(idx)).map_err(broken)?;
        let mut columns = guarded(|| table.columns(&*group)).map_err(broken)?;
        loop {
            let batch = guarded(|| Batch::next(&mut columns, BATCH_ROWS)).map_err(broken)?;
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

/// The decoder panics at some damaged files, as at a page that needs a dictionary which is not there.
fn guarded<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    IS_DECODING.set(true);
    let decoded = panic::catch_unwind(AssertUnwindSafe(decode));
    IS_DECODING.set(false);
    decoded.unwrap_or_else(|_| Err(ParquetError::General("it is damaged".to_owned())))
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

    fn spot(&self) -> Spot {
        Spot::Row(self.first_row + self.row as u64)
    }
}

/// What the decoder says, and the way out where it is known.
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
