//! Which columns of a Parquet file hold the bars, and what their types mean.

use ::parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::RowGroupReader;
use ::parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use super::column::Column;
use crate::MarketError;
use crate::read::header::{Header, TimeColumns};
use crate::read::reading::Reading;

/// The name that pandas gives to an index without one; it is the time where no other column is.
const PANDAS_INDEX: &str = "__index_level_0__";
/// Decimals of more bytes are beyond any price.
const MAX_DECIMAL_BYTES: i32 = 16;

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Integers or floating point numbers.
    Number,
    /// Integers to be divided by ten to this power.
    Decimal {
        scale: i32,
    },
    /// Counted from 1970.
    Timestamp {
        unit: Unit,
        is_utc: bool,
    },
    /// Days since 1970.
    Date,
    /// Nanoseconds of a Julian day.
    Int96,
    Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Micros,
    Nanos,
}

/// The columns of a file that hold its bars.
pub(super) struct Table {
    pub(super) header: Header,
    pub(super) remarks: Vec<String>,
    /// Number in the header, number in the file, and kind of each.
    found: Vec<(usize, usize, Kind)>,
}

impl Table {
    pub(super) fn find(
        schema: &SchemaDescriptor,
        file: &str,
        reading: &Reading,
    ) -> Result<Self, MarketError> {
        // A column within a list or a structure holds no field of a bar.
        let is_plain = |idx: &usize| {
            let column = schema.column(*idx);
            column.path().parts().len() == 1 && column.max_rep_level() == 0
        };
        let numbers: Vec<usize> = (0..schema.num_columns()).filter(is_plain).collect();
        let names: Vec<String> =
            numbers.iter().map(|idx| schema.column(*idx).name().to_owned()).collect();
        let kinds: Vec<Option<Kind>> =
            numbers.iter().map(|idx| Kind::of(&schema.column(*idx))).collect();
        let (header, remarks) = header(names, &kinds, file, reading)?;
        let mut found = Vec::new();
        for (idx, needed) in needed(&header) {
            let kind = kinds[idx].filter(|kind| needed.allows(*kind));
            let kind = kind.ok_or_else(|| MarketError::ColumnType {
                file: file.to_owned(),
                column: header.names[idx].clone(),
                found: type_name(&schema.column(numbers[idx])),
                needed: needed.as_str(),
            })?;
            found.push((idx, numbers[idx], kind));
        }
        Ok(Self { header, remarks, found })
    }

    /// Readers of the columns in a row group.
    pub(super) fn columns(&self, group: &dyn RowGroupReader) -> Result<Vec<Column>, ParquetError> {
        let column = |(place, number, kind): &(usize, usize, Kind)| {
            Ok(Column { place: *place, kind: *kind, reader: group.get_column_reader(*number)? })
        };
        self.found.iter().map(column).collect()
    }
}

/// What a field of a bar can be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needed {
    Time,
    Number,
    Anything,
}

impl Needed {
    const fn allows(self, kind: Kind) -> bool {
        match (self, kind) {
            (Self::Anything, _) | (_, Kind::Number | Kind::Text) => true,
            (Self::Time, kind) => !matches!(kind, Kind::Decimal { .. }),
            (Self::Number, kind) => matches!(kind, Kind::Decimal { .. }),
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Time => "timestamps, dates or epoch numbers",
            Self::Number => "numbers",
            Self::Anything => "numbers or text",
        }
    }
}

fn needed(header: &Header) -> Vec<(usize, Needed)> {
    let mut needed: Vec<(usize, Needed)> = match header.time {
        TimeColumns::One(idx) => vec![(idx, Needed::Time)],
        TimeColumns::DateAndClock { date, clock } => {
            vec![(date, Needed::Time), (clock, Needed::Anything)]
        }
    };
    let prices = [header.open, header.high, header.low, header.close];
    needed.extend(prices.into_iter().chain(header.volume).map(|idx| (idx, Needed::Number)));
    needed.extend(header.instrument.map(|idx| (idx, Needed::Anything)));
    needed
}

fn header(
    names: Vec<String>,
    kinds: &[Option<Kind>],
    file: &str,
    reading: &Reading,
) -> Result<(Header, Vec<String>), MarketError> {
    let mut remarks = Vec::new();
    let mut names = names;
    if let Some(columns) = &reading.columns {
        let given: Vec<String> = columns.split(',').map(|name| name.trim().to_owned()).collect();
        if given.len() != names.len() {
            return Err(MarketError::Parquet {
                file: file.to_owned(),
                problem: format!(
                    "it has {} columns where `--columns` names {}",
                    names.len(),
                    given.len()
                ),
            });
        }
        names = given;
        remarks.push("a header was given for the file".to_owned());
    }
    names = of_one_ticker(&names).unwrap_or(names);
    let parsed = Header::of_names(names.clone(), &names.join(","), file, reading);
    let index = names.iter().position(|name| name == PANDAS_INDEX);
    let is_time = |idx: usize| {
        kinds[idx].is_some_and(|kind| kind != Kind::Number && Needed::Time.allows(kind))
    };
    let header = match (parsed, index) {
        (Err(MarketError::MissingColumns { .. }), Some(idx)) if is_time(idx) => {
            "timestamp".clone_into(&mut names[idx]);
            remarks.push("the index of the pandas frame is the time".to_owned());
            Header::of_names(names.clone(), &names.join(","), file, reading)?
        }
        (parsed, _) => parsed?,
    };
    remarks.extend(header.remarks());
    Ok((header, remarks))
}

/// The names of a yfinance frame, `('Close', 'AAPL')`, where all are of one ticker.
fn of_one_ticker(names: &[String]) -> Option<Vec<String>> {
    let parts = |name: &str| {
        let (column, ticker) = name.strip_prefix("('")?.strip_suffix("')")?.split_once("', '")?;
        Some((column.to_owned(), ticker.to_owned()))
    };
    let first = names.iter().find_map(|name| parts(name))?.1;
    names
        .iter()
        .map(|name| match parts(name) {
            Some((column, ticker)) => (ticker == first || ticker.is_empty()).then_some(column),
            None => Some(name.clone()),
        })
        .collect()
}

impl Kind {
    fn of(column: &ColumnDescriptor) -> Option<Self> {
        if let Some(logical) = column.logical_type_ref() {
            return Self::of_logical(logical, column);
        }
        match column.converted_type() {
            ConvertedType::TIMESTAMP_MILLIS => Some(Self::local(Unit::Millis)),
            ConvertedType::TIMESTAMP_MICROS => Some(Self::local(Unit::Micros)),
            ConvertedType::DATE => Some(Self::Date),
            ConvertedType::DECIMAL => Self::decimal(column, column.type_scale()),
            ConvertedType::UTF8 | ConvertedType::ENUM => Some(Self::Text),
            ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS | ConvertedType::INTERVAL => {
                None
            }
            _ => Self::of_physical(column.physical_type()),
        }
    }

    fn of_logical(logical: &LogicalType, column: &ColumnDescriptor) -> Option<Self> {
        match logical {
            LogicalType::Timestamp(timestamp) => {
                let unit = match timestamp.unit {
                    TimeUnit::MILLIS => Unit::Millis,
                    TimeUnit::MICROS => Unit::Micros,
                    TimeUnit::NANOS => Unit::Nanos,
                };
                Some(Self::Timestamp { unit, is_utc: timestamp.is_adjusted_to_u_t_c })
            }
            LogicalType::Date => Some(Self::Date),
            LogicalType::Decimal(decimal) => Self::decimal(column, decimal.scale),
            LogicalType::Integer(_) => Some(Self::Number),
            LogicalType::String | LogicalType::Enum => Some(Self::Text),
            _ => None,
        }
    }

    fn of_physical(physical: Type) -> Option<Self> {
        match physical {
            Type::INT32 | Type::INT64 | Type::FLOAT | Type::DOUBLE => Some(Self::Number),
            Type::INT96 => Some(Self::Int96),
            Type::BYTE_ARRAY => Some(Self::Text),
            Type::BOOLEAN | Type::FIXED_LEN_BYTE_ARRAY => None,
        }
    }

    /// Older files do not say whether their timestamps are UTC's.
    const fn local(unit: Unit) -> Self {
        Self::Timestamp { unit, is_utc: false }
    }

    fn decimal(column: &ColumnDescriptor, scale: i32) -> Option<Self> {
        let is_fixed = column.physical_type() == Type::FIXED_LEN_BYTE_ARRAY;
        let fits = !is_fixed || column.type_length() <= MAX_DECIMAL_BYTES;
        (fits && (0..=38).contains(&scale)).then_some(Self::Decimal { scale })
    }
}

fn type_name(column: &ColumnDescriptor) -> String {
    match column.logical_type_ref() {
        Some(logical) => format!("{logical:?}"),
        None => column.physical_type().to_string(),
    }
}
