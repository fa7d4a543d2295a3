//! Rows of JSON that stand in one list or on one line each, read one at a time.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::Value;

use super::value::{cell, unreadable};
use crate::error::MarketError;
use crate::location::RowLocation;
use crate::read::cell::{Cell, Flow, Row, RowSink, Table};

/// How the rows follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    List,
    Lines,
}

/// The rows of a file.
pub(super) struct Rows<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) form: Form,
    pub(super) file: &'a str,
    /// The names of the fields of an object; `None` if the rows are lists.
    pub(super) keys: Option<Vec<String>>,
    /// Whether rows have texts, which may be numbers.
    pub(super) has_texts: bool,
}

impl Form {
    /// The form of a file, by its first characters; `None` if it is a document of another form.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.trim_ascii_start();
        match rest.first()? {
            b'[' => {
                rest = rest[1..].trim_ascii_start();
                // A list of numbers is a row.
                let is_list = matches!(rest.first(), None | Some(b'[' | b'{' | b']'));
                let is_row = bytes
                    .trim_ascii()
                    .split(|byte| *byte == b'\n')
                    .nth(1)
                    .is_some_and(|line| line.starts_with(b"["));
                Some(if is_list || !is_row { Self::List } else { Self::Lines })
            }
            b'{' => {
                let mut values = serde_json::Deserializer::from_slice(bytes)
                    .into_iter::<serde::de::IgnoredAny>();
                values.next()?.ok()?;
                let rest = bytes[values.byte_offset()..].trim_ascii_start();
                rest.starts_with(b"{").then_some(Self::Lines)
            }
            _ => None,
        }
    }
}

impl Rows<'_> {
    /// The first row; `None` if there is none.
    pub(super) fn first(&self) -> Result<Option<Value>, MarketError> {
        let mut first = None;
        self.each_value(&mut |value: Value| {
            first = Some(value);
            Ok(Flow::Stop)
        })?;
        Ok(first)
    }

    fn each_value(
        &self,
        take: &mut dyn FnMut(Value) -> Result<Flow, MarketError>,
    ) -> Result<(), MarketError> {
        match self.form {
            Form::List => self.each_of_list(take),
            Form::Lines => {
                let values = serde_json::Deserializer::from_slice(self.bytes).into_iter::<Fields>();
                for value in values {
                    let Fields(value) = value.map_err(|error| unreadable(self.file, &error))?;
                    if take(value)? == Flow::Stop {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    fn each_of_list(
        &self,
        take: &mut dyn FnMut(Value) -> Result<Flow, MarketError>,
    ) -> Result<(), MarketError> {
        let mut json = serde_json::Deserializer::from_slice(self.bytes);
        let mut end = None;
        let read = List { take, end: &mut end }.deserialize(&mut json);
        match (read.and_then(|()| json.end()), end) {
            (_, Some(End::Refused(error))) => Err(error),
            (Ok(()), _) | (_, Some(End::Stopped)) => Ok(()),
            (Err(error), None) => Err(unreadable(self.file, &error)),
        }
    }
}

impl Table for Rows<'_> {
    fn each_row(&self, sink: &mut impl RowSink) -> Result<(), MarketError> {
        let mut row_number = 0;
        self.each_value(&mut |fields| {
            row_number += 1;
            sink.take(&JsonRow {
                fields: &fields,
                keys: self.keys.as_deref().unwrap_or_default(),
                row_number,
            })
        })
    }

    fn n_expected(&self) -> usize {
        0
    }

    fn may_have_grouped_numbers(&self) -> bool {
        self.has_texts
    }
}

/// Why a list was not read to its end. The error type of serde cannot carry it.
enum End {
    Stopped,
    Refused(MarketError),
}

/// The list of rows.
struct List<'a> {
    take: &'a mut dyn FnMut(Value) -> Result<Flow, MarketError>,
    end: &'a mut Option<End>,
}

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of bars")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(Fields(value)) = rows.next_element()? {
            let end = match (self.take)(value) {
                Ok(Flow::Continue) => continue,
                Ok(Flow::Stop) => End::Stopped,
                Err(error) => End::Refused(error),
            };
            *self.end = Some(end);
            return Err(A::Error::custom("ended"));
        }
        Ok(())
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

struct JsonRow<'a> {
    fields: &'a Value,
    /// The names of the fields of an object.
    keys: &'a [String],
    row_number: u64,
}

impl Row for JsonRow<'_> {
    fn cell(&self, column: usize) -> Cell<'_> {
        match self.fields {
            Value::Array(fields) => cell(fields.get(column)),
            fields => cell(self.keys.get(column).and_then(|key| fields.get(key))),
        }
    }

    fn n_cells(&self) -> usize {
        self.fields.as_array().map_or(self.keys.len(), Vec::len)
    }

    fn location(&self) -> RowLocation {
        RowLocation::Row(self.row_number)
    }
}
