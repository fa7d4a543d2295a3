//! A JSON document that holds bars somewhere: a list of rows below a key, a list for each column, or objects named by
//! their time or column.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::value::{cell, unreadable};
use crate::error::MarketError;
use crate::location::RowLocation;
use crate::read::cell::{Cell, Flow, Row, RowSink, Table};
use crate::read::market_names::have_prices;
use crate::read::survey::is_value;

/// The name of a column that holds the names of objects.
const KEY: &str = "time";

/// The rows of a document.
#[derive(Debug)]
pub(super) struct Document {
    /// The names of the columns; `None` if the rows are lists without names.
    pub(super) names: Option<Vec<String>>,
    rows: Vec<Vec<Cell<'static>>>,
}

impl Document {
    /// Finds the largest table of a document.
    pub(super) fn parse(bytes: &[u8], file: &str) -> Result<Self, MarketError> {
        let value: Value =
            serde_json::from_slice(bytes).map_err(|error| unreadable(file, &error))?;
        let found = tables(&value)
            .into_iter()
            .max_by_key(|table| (table.rows.len(), table.names.is_some()));
        found
            .filter(|table| !table.rows.is_empty())
            .ok_or_else(|| unreadable(file, &"it holds no list of bars"))
    }
}

/// All tables inside a value.
fn tables(value: &Value) -> Vec<Document> {
    let mut found: Vec<Document> = match value {
        Value::Array(rows) => of_list(rows, None).into_iter().collect(),
        Value::Object(fields) => {
            let own = [of_columns(value), of_named_rows(fields), of_named_columns(fields)];
            own.into_iter().flatten().collect()
        }
        _ => Vec::new(),
    };
    match value {
        Value::Object(fields) => {
            let names =
                ["columns", "fields", "header"].into_iter().find_map(|key| texts(fields.get(key)?));
            for field in fields.values() {
                let listed = field.as_array().and_then(|rows| of_list(rows, names.as_deref()));
                found.extend(listed.map(|table| table.with_index(fields.get("index"))));
                found.extend(tables(field));
            }
        }
        Value::Array(items) if found.is_empty() => found.extend(items.iter().flat_map(tables)),
        _ => {}
    }
    found
}

impl Document {
    /// Adds the index of a pandas frame in front, where it has one entry a row.
    fn with_index(mut self, index: Option<&Value>) -> Self {
        let Some(Value::Array(index)) =
            index.filter(|index| index.as_array().is_some_and(|it| it.len() == self.rows.len()))
        else {
            return self;
        };
        let Some(names) = &mut self.names else { return self };
        names.insert(0, String::new());
        for (row, entry) in self.rows.iter_mut().zip(index) {
            row.insert(0, cell(Some(entry)).into_owned());
        }
        self
    }
}

/// A list of objects or lists; `names` are those of the fields of lists.
fn of_list(rows: &[Value], names: Option<&[String]>) -> Option<Document> {
    match rows.first()? {
        Value::Object(first) => {
            let keys: Vec<String> = first.keys().cloned().collect();
            if !rows.iter().all(Value::is_object) {
                return None;
            }
            let row =
                |row: &Value| keys.iter().map(|key| cell(row.get(key)).into_owned()).collect();
            Some(Document { rows: rows.iter().map(row).collect(), names: Some(keys) })
        }
        Value::Array(first) if first.len() > 4 => {
            let row = |row: &Value| {
                Some(row.as_array()?.iter().map(|field| cell(Some(field)).into_owned()).collect())
            };
            let names = names.filter(|names| names.len() == first.len()).map(<[String]>::to_vec);
            Some(Document { rows: rows.iter().map(row).collect::<Option<_>>()?, names })
        }
        _ => None,
    }
}

/// Lists of one length, one for each column, at any depth: `{"t": […], "o": […]}`.
fn of_columns(value: &Value) -> Option<Document> {
    let mut lists = Vec::new();
    add_lists("", value, &mut lists);
    let mut by_length: BTreeMap<usize, Vec<(&str, &Vec<Value>)>> = BTreeMap::new();
    for (name, list) in lists {
        by_length.entry(list.len()).or_default().push((name, list));
    }
    let (n_rows, columns) = by_length.into_iter().rev().find(|(_, columns)| {
        let names: Vec<String> = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        have_prices(&names)
    })?;
    let row =
        |idx: usize| columns.iter().map(|(_, list)| cell(list.get(idx)).into_owned()).collect();
    let names = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    Some(Document { names: Some(names), rows: (0..n_rows).map(row).collect() })
}

/// The lists of numbers and texts inside a value, with the names of their keys.
fn add_lists<'a>(name: &'a str, value: &'a Value, lists: &mut Vec<(&'a str, &'a Vec<Value>)>) {
    match value {
        Value::Array(list) if list.iter().any(|item| item.is_array() || item.is_object()) => {
            for item in list {
                add_lists(name, item, lists);
            }
        }
        Value::Array(list) => lists.push((name, list)),
        Value::Object(fields) => {
            for (name, field) in fields {
                add_lists(name, field, lists);
            }
        }
        _ => {}
    }
}

/// Objects named by their time: `{"2017-01-02": {"1. open": …}}`.
fn of_named_rows(fields: &Map<String, Value>) -> Option<Document> {
    let (_, first) = fields.iter().next()?;
    let keys: Vec<String> = first.as_object()?.keys().cloned().collect();
    if !have_prices(&keys) || !fields.keys().all(|time| is_value(time)) {
        return None;
    }
    let row = |(time, row): (&String, &Value)| {
        let fields = keys.iter().map(|key| cell(row.get(key)).into_owned());
        std::iter::once(Cell::Text(time.clone().into())).chain(fields).collect()
    };
    let rows = fields.iter().map(row).collect();
    Some(Document {
        names: Some(std::iter::once(KEY.to_owned()).chain(keys.clone()).collect()),
        rows,
    })
}

/// Objects named by their column, whose fields are named by the row: `{"open": {"0": …}}`.
fn of_named_columns(fields: &Map<String, Value>) -> Option<Document> {
    let mut names: Vec<String> = fields.keys().cloned().collect();
    if !have_prices(&names) {
        return None;
    }
    let mut keys: Vec<&String> = fields.values().next()?.as_object()?.keys().collect();
    // The map sorts its keys as texts, and `10` must follow `9`.
    keys.sort_by_key(|key| (key.parse::<i64>().unwrap_or(i64::MAX), (*key).clone()));
    let row = |key: &&String| {
        let values = fields.values().map(|column| cell(column.get(key.as_str())).into_owned());
        std::iter::once(Cell::Text((*key).clone().into())).chain(values).collect()
    };
    let rows = keys.iter().map(row).collect();
    names.insert(0, String::new());
    Some(Document { names: Some(names), rows })
}

/// The texts of a list.
fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

impl Table for Document {
    fn each_row(&self, sink: &mut impl RowSink) -> Result<(), MarketError> {
        for (idx, cells) in self.rows.iter().enumerate() {
            if sink.take(&DocumentRow { cells, row_number: idx as u64 + 1 })? == Flow::Stop {
                break;
            }
        }
        Ok(())
    }

    fn n_expected(&self) -> usize {
        self.rows.len()
    }

    fn may_have_grouped_numbers(&self) -> bool {
        true
    }
}

struct DocumentRow<'a> {
    cells: &'a [Cell<'static>],
    row_number: u64,
}

impl Row for DocumentRow<'_> {
    fn cell(&self, column: usize) -> Cell<'_> {
        self.cells.get(column).cloned().unwrap_or(Cell::Null)
    }

    fn n_cells(&self) -> usize {
        self.cells.len()
    }

    fn location(&self) -> RowLocation {
        RowLocation::Row(self.row_number)
    }
}
