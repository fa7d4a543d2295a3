//! The meaning of the values of a Parquet column, from its type.

use ::parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use ::parquet::schema::types::ColumnDescriptor;

/// Decimals with more bytes are refused: no price needs them.
const MAX_DECIMAL_BYTES: i32 = 16;

/// The meaning of the values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueKind {
    /// Integers or floating point numbers.
    Number,
    /// Integers to be divided by `10^scale`.
    Decimal {
        scale: i32,
    },
    /// Time since 1970, in UTC or in an unnamed zone.
    Timestamp {
        unit: EpochUnit,
        is_utc: bool,
    },
    /// Days since 1970.
    Date,
    /// A Julian day and nanoseconds within it.
    Int96,
    Text,
}

/// The unit of a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EpochUnit {
    Millis,
    Micros,
    Nanos,
}

impl ValueKind {
    /// The kind of a column; `None` for a type that is not supported.
    pub(super) fn of(column: &ColumnDescriptor) -> Option<Self> {
        if let Some(logical) = column.logical_type_ref() {
            return Self::of_logical(logical, column);
        }
        match column.converted_type() {
            ConvertedType::TIMESTAMP_MILLIS => Some(Self::local(EpochUnit::Millis)),
            ConvertedType::TIMESTAMP_MICROS => Some(Self::local(EpochUnit::Micros)),
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
                    TimeUnit::MILLIS => EpochUnit::Millis,
                    TimeUnit::MICROS => EpochUnit::Micros,
                    TimeUnit::NANOS => EpochUnit::Nanos,
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

    /// A timestamp of an older file, which does not say whether it is UTC.
    const fn local(unit: EpochUnit) -> Self {
        Self::Timestamp { unit, is_utc: false }
    }

    fn decimal(column: &ColumnDescriptor, scale: i32) -> Option<Self> {
        let is_fixed = column.physical_type() == Type::FIXED_LEN_BYTE_ARRAY;
        let fits = !is_fixed || column.type_length() <= MAX_DECIMAL_BYTES;
        (fits && (0..=38).contains(&scale)).then_some(Self::Decimal { scale })
    }
}
