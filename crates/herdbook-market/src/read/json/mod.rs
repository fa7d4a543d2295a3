//! Bars as JSON: a list of objects or lists, one of them a line, or a document that holds such a list somewhere.

mod document;
mod rows;
mod value;

use super::cell::Cell;
use super::header::{HeaderText, given_names, is_by_name};
use super::named::{Named, read_named};
use super::options::ReadOptions;
use super::raw_bars::RawBars;
use super::survey::Survey;
use crate::error::MarketError;
use document::Document;
use rows::{Form, Rows};

/// Reads one row at a time: all rows as JSON values would need many times the memory of the bars. Only documents of other
/// forms are read at once.
pub(super) fn read(
    bytes: &[u8],
    file: &str,
    options: &ReadOptions,
) -> Result<RawBars, MarketError> {
    let Some(form) = Form::of(bytes) else {
        let document = Document::parse(bytes, file)?;
        let survey = Survey::of(&document)?;
        let names = names(document.names.clone(), file, options)?;
        return read_named(&document, named(names, file, &survey, options), options);
    };
    let mut rows = Rows { bytes, form, file, keys: None, has_texts: false };
    let first = rows.first()?.ok_or_else(|| MarketError::EmptyFile { file: file.to_owned() })?;
    rows.keys = first.as_object().map(|fields| fields.keys().cloned().collect());
    if let (Some(keys), Some(columns)) =
        (&rows.keys, options.columns.as_deref().filter(|columns| !is_by_name(columns)))
    {
        rows.keys = Some(chosen_keys(columns, keys, file)?);
    }
    let survey = Survey::of(&rows)?;
    let is_text = |cell: &Cell| matches!(cell, Cell::Text(_));
    rows.has_texts = survey.rows.first().is_some_and(|row| row.iter().any(is_text));
    let names = names(rows.keys.clone(), file, options)?;
    read_named(&rows, named(names, file, &survey, options), options)
}

/// The names of objects that the user gives choose fields by their own names.
fn chosen_keys(columns: &str, keys: &[String], file: &str) -> Result<Vec<String>, MarketError> {
    let chosen = given_names(columns, keys, file)?;
    match chosen.iter().find(|name| !keys.contains(name)) {
        Some(unknown) => Err(MarketError::NoSuchColumn {
            file: file.to_owned(),
            asked: unknown.clone(),
            found: keys.join(", "),
        }),
        None => Ok(chosen),
    }
}

fn names(
    keys: Option<Vec<String>>,
    file: &str,
    options: &ReadOptions,
) -> Result<Option<Vec<String>>, MarketError> {
    match &options.columns {
        Some(columns) => given_names(columns, &keys.unwrap_or_default(), file).map(Some),
        None => Ok(keys),
    }
}

fn named<'a>(
    names: Option<Vec<String>>,
    file: &'a str,
    survey: &'a Survey,
    options: &ReadOptions,
) -> Named<'a> {
    let remark = options.columns.as_ref().map(|_| "the header was given by the user".to_owned());
    Named {
        names,
        text: HeaderText { file, line: "", names: &[] },
        survey,
        remarks: remark.into_iter().collect(),
    }
}
