//! From rows with names, or without, to bars: the steps that all formats share.

use super::bar_reader::BarReader;
use super::cell::Table;
use super::date_order;
use super::decimal_mark;
use super::guess::{Guess, guess};
use super::header::{Header, HeaderText};
use super::options::ReadOptions;
use super::raw_bars::RawBars;
use super::survey::Survey;
use super::time_text::TimeReader;
use crate::advice::quoted;
use crate::error::MarketError;

/// The names of a table and its first rows.
pub(super) struct Named<'a> {
    /// The names of the columns; `None` if the file has none.
    pub(super) names: Option<Vec<String>>,
    /// The file and its header for error messages.
    pub(super) text: HeaderText<'a>,
    pub(super) survey: &'a Survey,
    /// Remarks for the user on what was read so far.
    pub(super) remarks: Vec<String>,
}

/// Reads the bars of a table. Columns without names are found by their contents, if these allow only one reading.
pub(super) fn read_named(
    table: &impl Table,
    named: Named<'_>,
    options: &ReadOptions,
) -> Result<RawBars, MarketError> {
    let Named { names, text, survey, mut remarks } = named;
    let guessed = guess(survey);
    let names = match (names, &guessed) {
        (Some(names), _) => names,
        (None, Some(Guess { names, is_certain: true })) => {
            remarks
                .push(format!("no header: by their contents the columns are {}", names.join(",")));
            names.clone()
        }
        (None, _) => {
            return Err(MarketError::UnnamedColumns {
                file: text.file.to_owned(),
                n_fields: survey.n_fields(),
                flags: columns_flags(guessed.as_ref()),
            });
        }
    };
    if options.columns.is_some() && survey.does_not_fit(names.len()) {
        return Err(MarketError::GivenColumns {
            file: text.file.to_owned(),
            given: names.len(),
            found: survey.n_fields(),
            flags: columns_flags(guessed.as_ref()),
        });
    }
    let line = if text.line.is_empty() { names.join(",") } else { text.line.to_owned() };
    let text = HeaderText { names: &names, line: &line, ..text };
    let header = Header::of_names(text, options, survey).map_err(|error| match error {
        MarketError::MissingColumns { file, found, missing, known, .. } => {
            MarketError::MissingColumns {
                file,
                found,
                missing,
                known,
                flags: columns_flags(guessed.map(|guess| guess.with_volume_named(&names)).as_ref()),
            }
        }
        other => other,
    })?;
    remarks.extend(header.remarks.iter().cloned());
    read_bars_of(table, &header, text.file, options, remarks)
}

/// Reads the bars of a table whose columns are known.
pub(super) fn read_bars_of(
    table: &impl Table,
    header: &Header,
    file: &str,
    options: &ReadOptions,
    remarks: Vec<String>,
) -> Result<RawBars, MarketError> {
    let order = match options.time_format {
        Some(_) => None,
        None => date_order::find(table, header)?,
    };
    let decimal = decimal_mark::find(table, header, file, options)?;
    let mut bars = BarReader::new(header, file, options, TimeReader::new(options, order), decimal);
    bars.reserve(table.n_expected());
    table.each_row(&mut bars)?;
    bars.finish(remarks)
}

fn columns_flags(guessed: Option<&Guess>) -> Vec<String> {
    guessed
        .map(|guess| format!("--columns {}", quoted(&guess.names.join(","))))
        .into_iter()
        .collect()
}
