//! Values of columns as fields of bars.

use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::{ByteArray, DataType};
use ::parquet::errors::ParquetError;

use super::schema::{Kind, Unit};
use crate::read::cell::Cell;
use crate::read::time::Moment;

const DAY_MS: i64 = 86_400_000;
/// Integers up to this are exact as floating point numbers, and so are powers of ten up to `MAX_EXACT_SCALE`: their
/// quotient is the number nearest to the decimal.
const MAX_EXACT: i128 = 1 << 53;
const MAX_EXACT_SCALE: i32 = 22;

/// A column of a row group, on its way down.
pub(super) struct Column {
    /// Number in the header.
    pub(super) place: usize,
    pub(super) kind: Kind,
    pub(super) reader: ColumnReader,
}

/// Rows of the columns that are needed.
pub(super) struct Batch {
    pub(super) n_rows: usize,
    /// By number in the header.
    fields: Vec<Fields>,
}

/// A column of a batch.
enum Fields {
    Unneeded,
    Numbers(Vec<Option<f64>>),
    Moments(Vec<Option<Moment>>),
    Texts(Vec<Option<ByteArray>>),
}

impl Batch {
    /// The next rows, none at the end of a row group.
    pub(super) fn next(columns: &mut [Column], max_rows: usize) -> Result<Self, ParquetError> {
        let mut batch = Self { n_rows: 0, fields: Vec::new() };
        for (idx, column) in columns.iter_mut().enumerate() {
            let fields = column.next(max_rows)?;
            let n_rows = fields.len();
            if idx > 0 && n_rows != batch.n_rows {
                return Err(ParquetError::General("its columns have different lengths".to_owned()));
            }
            batch.n_rows = n_rows;
            if batch.fields.len() <= column.place {
                batch.fields.resize_with(column.place + 1, || Fields::Unneeded);
            }
            batch.fields[column.place] = fields;
        }
        Ok(batch)
    }

    pub(super) fn cell(&self, column: usize, row: usize) -> Cell<'_> {
        let cell = match &self.fields[column] {
            Fields::Unneeded => None,
            Fields::Numbers(numbers) => numbers[row].map(Cell::Number),
            Fields::Moments(moments) => moments[row].map(Cell::Moment),
            Fields::Texts(texts) => texts[row]
                .as_ref()
                .map(|text| Cell::Text(String::from_utf8_lossy(text.data().trim_ascii()))),
        };
        cell.unwrap_or(Cell::Null)
    }
}

impl Fields {
    fn len(&self) -> usize {
        match self {
            Self::Unneeded => 0,
            Self::Numbers(numbers) => numbers.len(),
            Self::Moments(moments) => moments.len(),
            Self::Texts(texts) => texts.len(),
        }
    }
}

impl Column {
    fn next(&mut self, max_rows: usize) -> Result<Fields, ParquetError> {
        match &mut self.reader {
            ColumnReader::Int32ColumnReader(reader) => {
                integers(self.kind, &decoded(reader, max_rows, |value| i64::from(*value))?)
            }
            ColumnReader::Int64ColumnReader(reader) => {
                integers(self.kind, &decoded(reader, max_rows, |value| *value)?)
            }
            ColumnReader::Int96ColumnReader(reader) => {
                let moment = |value: &_| Moment {
                    ms: ::parquet::data_type::Int96::to_millis(value),
                    has_zone: false,
                };
                Ok(Fields::Moments(decoded(reader, max_rows, moment)?))
            }
            ColumnReader::FloatColumnReader(reader) => {
                Ok(Fields::Numbers(decoded(reader, max_rows, |value| f64::from(*value))?))
            }
            ColumnReader::DoubleColumnReader(reader) => {
                Ok(Fields::Numbers(decoded(reader, max_rows, |value| *value)?))
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

/// The next values of a column, `None` where there is none.
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
    // The column stands by itself: a value is there, or it is not.
    Ok(levels.iter().map(|level| if *level > 0 { values.next() } else { None }).collect())
}

fn integers(kind: Kind, values: &[Option<i64>]) -> Result<Fields, ParquetError> {
    let moments = |convert: &dyn Fn(i64) -> Option<i64>, has_zone| {
        let moment = |value: i64| convert(value).map(|ms| Moment { ms, has_zone });
        Fields::Moments(values.iter().map(|value| value.and_then(moment)).collect())
    };
    Ok(match kind {
        Kind::Number => {
            Fields::Numbers(values.iter().map(|value| value.map(|it| it as f64)).collect())
        }
        Kind::Decimal { scale } => {
            let number = |value: i64| decimal(i128::from(value), scale);
            Fields::Numbers(values.iter().map(|value| value.map(number)).collect())
        }
        Kind::Timestamp { unit, is_utc } => {
            let per_ms = match unit {
                Unit::Millis => 1,
                Unit::Micros => 1_000,
                Unit::Nanos => 1_000_000,
            };
            moments(&|value| Some(value.div_euclid(per_ms)), is_utc)
        }
        Kind::Date => moments(&|value| value.checked_mul(DAY_MS), false),
        Kind::Int96 | Kind::Text => return Err(unfit()),
    })
}

fn bytes(kind: Kind, values: Vec<Option<ByteArray>>) -> Result<Fields, ParquetError> {
    match kind {
        Kind::Text => Ok(Fields::Texts(values)),
        Kind::Decimal { scale } => {
            let number = |bytes: ByteArray| big_endian(bytes.data()).map(|it| decimal(it, scale));
            let numbers = values.into_iter().map(|value| value.and_then(number));
            Ok(Fields::Numbers(numbers.collect()))
        }
        _ => Err(unfit()),
    }
}

/// A number in two's complement, where it has at most sixteen bytes.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let mut all = [if bytes.first()? & 0x80 == 0 { 0 } else { 0xff }; 16];
    let start = all.len().checked_sub(bytes.len())?;
    all[start..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(all))
}

/// The floating point number nearest to a decimal: what reading it as text would give.
fn decimal(unscaled: i128, scale: i32) -> f64 {
    if unscaled.abs() <= MAX_EXACT && scale <= MAX_EXACT_SCALE {
        return unscaled as f64 / 10_f64.powi(scale);
    }
    format!("{unscaled}e-{scale}").parse().unwrap_or(f64::NAN)
}

/// A file whose pages are not of the type that its schema tells.
fn unfit() -> ParquetError {
    ParquetError::General("a column is not of the type that the schema tells".to_owned())
}
