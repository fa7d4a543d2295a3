//! Conversion of values to parameters and from columns.

use postgres::types::Type;
use rusqlite::types::ValueRef;

use crate::error::StoreError;

/// The type of a parameter, also of NULL: PostgreSQL needs it to prepare a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A 64-bit integer.
    Integer,
    /// A 64-bit floating-point number.
    Real,
    /// UTF-8 text.
    Text,
    /// A boolean; in SQLite 0 or 1.
    Truth,
}

/// A parameter's value.
#[derive(Debug, Clone, Copy)]
pub enum Value<'v> {
    /// No value, of this type.
    Null(Kind),
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// A text.
    Text(&'v str),
    /// A boolean.
    Truth(bool),
}

impl Value<'_> {
    /// Its type.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Null(kind) => *kind,
            Self::Integer(_) => Kind::Integer,
            Self::Real(_) => Kind::Real,
            Self::Text(_) => Kind::Text,
            Self::Truth(_) => Kind::Truth,
        }
    }
}

/// Types that can be parameters.
pub trait ToValue {
    /// The parameter's value.
    fn to_value(&self) -> Value<'_>;
}

/// Types whose values are all of one kind, so that an absent value has this kind, too.
pub trait OfKind {
    /// This kind.
    const KIND: Kind;
}

macro_rules! to_value {
    ($($type:ty, $kind:ident, |$value:ident| $convert:expr;)*) => {$(
        impl OfKind for $type {
            const KIND: Kind = Kind::$kind;
        }

        impl ToValue for $type {
            fn to_value(&self) -> Value<'_> {
                let $value = self;
                Value::$kind($convert)
            }
        }
    )*};
}

to_value! {
    i64, Integer, |value| *value;
    u32, Integer, |value| i64::from(*value);
    f64, Real, |value| *value;
    bool, Truth, |value| *value;
    str, Text, |value| value;
    String, Text, |value| value.as_str();
}

impl<T: ToValue + OfKind> ToValue for Option<T> {
    fn to_value(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null(T::KIND), ToValue::to_value)
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value<'_> {
        (*self).to_value()
    }
}

impl<T: OfKind + ?Sized> OfKind for &T {
    const KIND: Kind = T::KIND;
}

/// Types that can be read from a column.
pub trait FromColumn: Sized {
    /// Reads a value of SQLite.
    ///
    /// # Errors
    /// The expected type, for example "an integer".
    fn from_sqlite(value: ValueRef<'_>) -> Result<Self, &'static str>;

    /// Reads a column of a row of PostgreSQL, counted from 0.
    ///
    /// # Errors
    /// Those of the database, if the column has another type.
    fn from_postgres(row: &postgres::Row, column: usize) -> Result<Self, StoreError>;
}

/// The value in a column of PostgreSQL. It can have another type only if another program changed the table.
fn typed<'r, T: postgres::types::FromSql<'r>>(
    row: &'r postgres::Row,
    column: usize,
    expected: &str,
) -> Result<T, StoreError> {
    row.try_get(column).map_err(|_| {
        let of = &row.columns()[column];
        StoreError::BrokenRecord {
            what: format!("a row with the column `{}`", of.name()),
            problem: format!("it is not {expected}; the column has the type `{}`", of.type_()),
        }
    })
}

impl FromColumn for i64 {
    fn from_sqlite(value: ValueRef<'_>) -> Result<Self, &'static str> {
        value.as_i64().map_err(|_| "an integer")
    }

    fn from_postgres(row: &postgres::Row, column: usize) -> Result<Self, StoreError> {
        Ok(match *row.columns()[column].type_() {
            Type::INT2 => i64::from(typed::<i16>(row, column, "an integer")?),
            Type::INT4 => i64::from(typed::<i32>(row, column, "an integer")?),
            _ => typed(row, column, "an integer")?,
        })
    }
}

impl FromColumn for f64 {
    fn from_sqlite(value: ValueRef<'_>) -> Result<Self, &'static str> {
        match value {
            // SQLite stores whole numbers in a FLOAT column as integers.
            ValueRef::Integer(whole) => Ok(whole as Self),
            other => other.as_f64().map_err(|_| "a number"),
        }
    }

    fn from_postgres(row: &postgres::Row, column: usize) -> Result<Self, StoreError> {
        typed(row, column, "a number")
    }
}

impl FromColumn for bool {
    fn from_sqlite(value: ValueRef<'_>) -> Result<Self, &'static str> {
        value.as_i64().map(|truth| truth != 0).map_err(|_| "a boolean")
    }

    fn from_postgres(row: &postgres::Row, column: usize) -> Result<Self, StoreError> {
        match *row.columns()[column].type_() {
            Type::BOOL => typed(row, column, "a boolean"),
            _ => i64::from_postgres(row, column).map(|truth| truth != 0),
        }
    }
}

impl FromColumn for String {
    fn from_sqlite(value: ValueRef<'_>) -> Result<Self, &'static str> {
        value.as_str().map(str::to_owned).map_err(|_| "text in UTF-8")
    }

    fn from_postgres(row: &postgres::Row, column: usize) -> Result<Self, StoreError> {
        typed(row, column, "text")
    }
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn from_sqlite(value: ValueRef<'_>) -> Result<Self, &'static str> {
        match value {
            ValueRef::Null => Ok(None),
            value => T::from_sqlite(value).map(Some),
        }
    }

    fn from_postgres(row: &postgres::Row, column: usize) -> Result<Self, StoreError> {
        match row.try_get::<_, Option<AnyValue>>(column)? {
            None => Ok(None),
            Some(AnyValue) => T::from_postgres(row, column).map(Some),
        }
    }
}

/// A value that is not NULL and is not read.
struct AnyValue;

impl<'r> postgres::types::FromSql<'r> for AnyValue {
    fn from_sql(
        _type: &Type,
        _raw: &'r [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self)
    }

    fn accepts(_type: &Type) -> bool {
        true
    }
}
