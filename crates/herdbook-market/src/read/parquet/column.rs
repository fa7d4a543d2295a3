//! Decoding of columns into fields of bars.

use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{ByteArray, DataType};
use ::parquet::errors::ParquetError;

use super::value_kind::{EpochUnit, ValueKind};
use crate::read::cell::Cell;
use crate::read::file_time::FileTime;

const DAY_MS: i64 = 86_400_000;
/// Integers up to this are exact as `f64`, and so are powers of ten up to `MAX_EXACT_SCALE`. The quotient of two exact
/// numbers is the `f64` nearest to the decimal.
const MAX_EXACT: i128 = 1 << 53;
const MAX_EXACT_SCALE: i32 = 22;

/// A cursor over one column of a row group.
pub(super) struct ColumnCursor {
    /// Number of the column in the header.
    pub(super) header_idx: usize,
    pub(super) kind: ValueKind,
    pub(super) reader: ColumnReader,
}

/// Some consecutive rows of the required columns.
pub(super) struct Batch {
    pub(super) n_rows: usize,
    /// The columns, by number in the header.
    columns: Vec<BatchColumn>,
}

/// The values of one column of a batch; `None` for missing ones.
enum BatchColumn {
    NotRead,
    Numbers(Vec<Option<f64>>),
    Times(Vec<Option<FileTime>>),
    Texts(Vec<Option<ByteArray>>),
}

impl Batch {
    /// The next rows, at most `max_rows`; none at the end of the row group.
    pub(super) fn next(
        columns: &mut [ColumnCursor],
        max_rows: usize,
    ) -> Result<Self, ParquetError> {
        let mut batch = Self { n_rows: 0, columns: Vec::new() };
        for (idx, column) in columns.iter_mut().enumerate() {
            let fields = column.next(max_rows)?;
            let n_rows = fields.len();
            if idx > 0 && n_rows != batch.n_rows {
                return Err(ParquetError::General("its columns have different lengths".to_owned()));
            }
            batch.n_rows = n_rows;
            if batch.columns.len() <= column.header_idx {
                batch.columns.resize_with(column.header_idx + 1, || BatchColumn::NotRead);
            }
            batch.columns[column.header_idx] = fields;
        }
        Ok(batch)
    }

    /// The field of a row, which is a number within the batch.
    pub(super) fn cell(&self, column: usize, row: usize) -> Cell<'_> {
        let cell = match self.columns.get(column) {
            None | Some(BatchColumn::NotRead) => None,
            Some(BatchColumn::Numbers(numbers)) => numbers[row].map(Cell::Number),
            Some(BatchColumn::Times(moments)) => moments[row].map(Cell::Time),
            Some(BatchColumn::Texts(texts)) => texts[row]
                .as_ref()
                .map(|text| Cell::Text(String::from_utf8_lossy(text.data().trim_ascii()))),
        };
        cell.unwrap_or(Cell::Null)
    }
}

impl BatchColumn {
    fn len(&self) -> usize {
        match self {
            Self::NotRead => 0,
            Self::Numbers(numbers) => numbers.len(),
            Self::Times(moments) => moments.len(),
            Self::Texts(texts) => texts.len(),
        }
    }
}

impl ColumnCursor {
    fn next(&mut self, max_rows: usize) -> Result<BatchColumn, ParquetError> {
        match &mut self.reader {
            ColumnReader::Int32ColumnReader(reader) => {
                integers(self.kind, &decoded(reader, max_rows, |value| i64::from(*value))?)
            }
            ColumnReader::Int64ColumnReader(reader) => {
                integers(self.kind, &decoded(reader, max_rows, |value| *value)?)
            }
            ColumnReader::Int96ColumnReader(reader) => {
                let moment = |value: &_| FileTime {
                    ms: ::parquet::data_type::Int96::to_millis(value),
                    has_zone: false,
                };
                Ok(BatchColumn::Times(decoded(reader, max_rows, moment)?))
            }
            ColumnReader::FloatColumnReader(reader) => {
                Ok(BatchColumn::Numbers(decoded(reader, max_rows, |value| f64::from(*value))?))
            }
            ColumnReader::DoubleColumnReader(reader) => {
                Ok(BatchColumn::Numbers(decoded(reader, max_rows, |value| *value)?))
            }
            ColumnReader::ByteArrayColumnReader(reader) => {
                let values = decoded(reader, max_rows, Clone::clone)?;
                bytes(self.kind, values)
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                let values =
                    decoded(reader, max_rows, |value| ByteArray::from(value.data().to_vec()))?;
                bytes(self.kind, values)
            }
            ColumnReader::BoolColumnReader(_) => Err(unfit()),
        }
    }
}

/// The next values of a column; `None` for missing ones.
fn decoded<T: DataType, V>(
    reader: &mut ColumnReaderImpl<T>,
    max_rows: usize,
    convert: impl Fn(&T::T) -> V,
) -> Result<Vec<Option<V>>, ParquetError> {
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    let (n_rows, n_values, _) =
        reader.read_records(max_rows, Some(&mut levels), None, &mut values)?;
    let mut values = values.iter().map(convert);
    if n_values == n_rows {
        return Ok(values.map(Some).collect());
    }
    // The column is not nested: a level above 0 means that a value is present.
    Ok(levels.iter().map(|level| if *level > 0 { values.next() } else { None }).collect())
}

fn integers(kind: ValueKind, values: &[Option<i64>]) -> Result<BatchColumn, ParquetError> {
    let moments = |convert: &dyn Fn(i64) -> Option<i64>, has_zone| {
        let moment = |value: i64| convert(value).map(|ms| FileTime { ms, has_zone });
        BatchColumn::Times(values.iter().map(|value| value.and_then(moment)).collect())
    };
    Ok(match kind {
        ValueKind::Number => {
            BatchColumn::Numbers(values.iter().map(|value| value.map(|it| it as f64)).collect())
        }
        ValueKind::Decimal { scale } => {
            let number = |value: i64| decimal(i128::from(value), scale);
            BatchColumn::Numbers(values.iter().map(|value| value.map(number)).collect())
        }
        ValueKind::Timestamp { unit, is_utc } => {
            let per_ms = match unit {
                EpochUnit::Millis => 1,
                EpochUnit::Micros => 1_000,
                EpochUnit::Nanos => 1_000_000,
            };
            moments(&|value| Some(value.div_euclid(per_ms)), is_utc)
        }
        ValueKind::Date => moments(&|value| value.checked_mul(DAY_MS), false),
        ValueKind::Int96 | ValueKind::Text => return Err(unfit()),
    })
}

fn bytes(kind: ValueKind, values: Vec<Option<ByteArray>>) -> Result<BatchColumn, ParquetError> {
    match kind {
        ValueKind::Text => Ok(BatchColumn::Texts(values)),
        ValueKind::Decimal { scale } => {
            let number = |bytes: ByteArray| big_endian(bytes.data()).map(|it| decimal(it, scale));
            let numbers = values.into_iter().map(|value| value.and_then(number));
            Ok(BatchColumn::Numbers(numbers.collect()))
        }
        _ => Err(unfit()),
    }
}

/// A big-endian integer in two's complement; `None` for more than 16 bytes or none.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let mut all = [if bytes.first()? & 0x80 == 0 { 0 } else { 0xff }; 16];
    let start = all.len().checked_sub(bytes.len())?;
    all[start..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(all))
}

/// The `f64` nearest to a decimal, as parsing its text would give.
fn decimal(unscaled: i128, scale: i32) -> f64 {
    if unscaled.abs() <= MAX_EXACT && scale <= MAX_EXACT_SCALE {
        return unscaled as f64 / 10_f64.powi(scale);
    }
    format!("{unscaled}e-{scale}").parse().unwrap_or(f64::NAN)
}

/// The error for a file whose pages do not have the type that its schema declares.
fn unfit() -> ParquetError {
    ParquetError::General("a column does not have the type that the schema declares".to_owned())
}
