//! Bars as JSON: a list of objects, or a list of lists whose columns the user names (as in freqtrade's `json` and
//! `jsongz`).

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::Value;

use super::bar_reader::{BarReader, RawBars};
use super::cell::{Cell, Row};
use super::header::Header;
use super::options::ReadOptions;
use crate::error::MarketError;
use crate::error::RowLocation;

/// Reads one row at a time: all rows as JSON values would need many times the memory of the bars.
pub(super) fn read(
    bytes: &[u8],
    file: &str,
    options: &ReadOptions,
) -> Result<RawBars, MarketError> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let mut refusal = None;
    let bars = Rows { file, options, refusal: &mut refusal }.deserialize(&mut json);
    let bars = bars.and_then(|bars| json.end().map(|()| bars));
    bars.map_err(|error| {
        refusal.unwrap_or_else(|| MarketError::Json {
            file: file.to_owned(),
            problem: error.to_string(),
        })
    })
}

/// The list of rows.
struct Rows<'a> {
    file: &'a str,
    options: &'a ReadOptions,
    /// Why the bars are refused. The error type of serde cannot carry it.
    refusal: &'a mut Option<MarketError>,
}

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = RawBars;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawBars, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = RawBars;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of bars")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<RawBars, A::Error> {
        let Self { file, options, refusal } = self;
        let mut refuse = |error| {
            *refusal = Some(error);
            A::Error::custom("refused")
        };
        let Some(first) = rows.next_element::<Fields>()? else {
            return Err(refuse(MarketError::EmptyFile { file: file.to_owned() }));
        };
        let header = header_of(&first.0, file, options).map_err(&mut refuse)?;
        let mut bars = BarReader::new(&header, file, options, 0);
        let mut next = Some(first);
        let mut row_number = 0;
        while let Some(Fields(fields)) = next {
            row_number += 1;
            let row = JsonRow { fields: &fields, header: &header, row_number };
            row.check_length(file).and_then(|()| bars.add(&row)).map_err(&mut refuse)?;
            next = rows.next_element()?;
        }
        bars.finish(header.remarks()).map_err(&mut refuse)
    }
}

/// A row: a list or an object.
struct Fields(Value);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            row @ (Value::Array(_) | Value::Object(_)) => Ok(Self(row)),
            other => Err(D::Error::custom(format!(
                "`{other}` is not a bar: it must be an object or a list"
            ))),
        }
    }
}

fn header_of(first: &Value, file: &str, options: &ReadOptions) -> Result<Header, MarketError> {
    let names: Vec<String> = match (&options.columns, first) {
        (Some(columns), _) => {
            columns.split([',', ';', '\t']).map(|name| name.trim().to_owned()).collect()
        }
        (None, Value::Object(fields)) => fields.keys().cloned().collect(),
        (None, other) => {
            let n_fields = other.as_array().map_or(0, Vec::len);
            return Err(MarketError::UnnamedColumns { file: file.to_owned(), n_fields });
        }
    };
    let line = names.join(",");
    Header::of_names(names, &line, file, options)
}

struct JsonRow<'a> {
    fields: &'a Value,
    header: &'a Header,
    row_number: u64,
}

impl JsonRow<'_> {
    fn check_length(&self, file: &str) -> Result<(), MarketError> {
        let expected = self.header.names.len();
        match self.fields.as_array().map(Vec::len) {
            Some(found) if found != expected => Err(MarketError::ColumnCount {
                file: file.to_owned(),
                row: self.location(),
                found,
                expected,
            }),
            _ => Ok(()),
        }
    }
}

impl Row for JsonRow<'_> {
    fn cell(&self, column: usize) -> Cell<'_> {
        let field = match self.fields {
            Value::Array(fields) => fields.get(column),
            fields => fields.get(&self.header.names[column]),
        };
        match field {
            None | Some(Value::Null) => Cell::Null,
            Some(Value::String(text)) => Cell::Text(text.trim().into()),
            Some(Value::Number(number)) => number.as_f64().map_or(Cell::Null, Cell::Number),
            Some(other) => Cell::Text(other.to_string().into()),
        }
    }

    fn location(&self) -> RowLocation {
        RowLocation::Row(self.row_number)
    }
}
