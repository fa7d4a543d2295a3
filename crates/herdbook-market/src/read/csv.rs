//! Bars as delimited text.

use ::csv::{ReaderBuilder, StringRecord};

use super::cell::{Cell, Flow, Row, RowSink, Table};
use super::header::{HeaderText, given_names};
use super::layout::{Layout, with_single_blanks};
use super::named::{Named, read_named};
use super::options::ReadOptions;
use super::raw_bars::RawBars;
use super::survey::{Survey, is_value};
use super::text;
use super::vocabulary::meaning;
use super::words::Meaning;
use crate::error::MarketError;
use crate::location::{FieldLocation, RowLocation};

pub(super) fn read(
    bytes: &[u8],
    file: &str,
    options: &ReadOptions,
) -> Result<RawBars, MarketError> {
    let decoded = text::decoded(bytes, file)?;
    let text = with_single_blanks(&decoded.text);
    let layout = Layout::of(&text, options.columns.as_deref());
    if let Some((line, column, value, first)) = layout.second_ticker {
        let location =
            FieldLocation { file: file.to_owned(), row: RowLocation::Line(line), column };
        return Err(MarketError::SecondInstrument { location, value, first });
    }
    let rows = Rows {
        text: &text,
        begin: layout.rows_at,
        delimiter: layout.delimiter,
        file,
        has_comments: text.as_bytes().contains(&b'#'),
        header: layout.names.clone().unwrap_or_default(),
    };
    let survey = Survey::of(&rows)?;
    let mut remarks: Vec<String> = decoded.remark.into_iter().chain(layout.remarks).collect();
    let names = layout.names.map(|names| fitted(names, &survey, layout.delimiter));
    let names = match &options.columns {
        Some(columns) => {
            remarks.push("the header was given by the user".to_owned());
            Some(given_names(columns, &names.unwrap_or_default(), file)?)
        }
        None => names,
    };
    let named = Named {
        names,
        text: HeaderText { file, line: &layout.line, names: &[] },
        survey: &survey,
        remarks,
    };
    Ok(read_named(&rows, named, options)?.of_instrument(layout.ticker))
}

/// Names for the fields of the rows: rows of R begin with a name that the header does not have, and where blanks separate
/// the fields, a date and a clock below one name are two.
fn fitted(mut names: Vec<String>, survey: &Survey, delimiter: u8) -> Vec<String> {
    let n_fields = survey.n_fields();
    let last_is_blank = survey
        .rows
        .iter()
        .any(|row| row.len() == n_fields && row.last().is_some_and(Cell::is_blank));
    if n_fields != names.len() + 1 || last_is_blank {
        return names;
    }
    let is_time = |name: &String| {
        matches!(meaning(name), Some((Meaning::Time | Meaning::Date | Meaning::Clock, _)))
    };
    match names.iter().position(is_time) {
        Some(time) if delimiter == b' ' => {
            "date".clone_into(&mut names[time]);
            names.insert(time + 1, "time".to_owned());
        }
        _ => names.insert(0, String::new()),
    }
    names
}

/// The rows of a text file.
struct Rows<'a> {
    text: &'a str,
    begin: usize,
    delimiter: u8,
    file: &'a str,
    /// Whether lines may begin with `#`. The reader is faster without comments.
    has_comments: bool,
    /// The fields of the header. Files that were joined repeat it.
    header: Vec<String>,
}

impl Rows<'_> {
    fn body(&self) -> &str {
        &self.text[self.begin..]
    }

    fn is_header(&self, record: &StringRecord) -> bool {
        let first = self.header.first().is_some_and(|first| record.get(0) == Some(first));
        first && record.iter().eq(self.header.iter()) && !record.iter().any(is_value)
    }
}

impl Table for Rows<'_> {
    fn each_row(&self, sink: &mut impl RowSink) -> Result<(), MarketError> {
        let mut reader = ReaderBuilder::new()
            .delimiter(self.delimiter)
            .has_headers(false)
            .comment(self.has_comments.then_some(b'#'))
            .flexible(true)
            .from_reader(self.body().as_bytes());
        let mut record = StringRecord::new();
        let unreadable = |error| text::unreadable(&error, self.body(), self.file);
        while reader.read_record(&mut record).map_err(unreadable)? {
            let is_stopped = !self.is_header(&record)
                && sink.take(&Line { record: &record, rows: self })? == Flow::Stop;
            if is_stopped {
                break;
            }
        }
        Ok(())
    }

    fn n_expected(&self) -> usize {
        text::count_lines(self.body())
    }

    fn may_have_grouped_numbers(&self) -> bool {
        let body = self.body().as_bytes();
        let has = |mark: u8| body.contains(&mark);
        // Between commas a number needs quotes to have a comma inside. A blank stands inside other texts, too.
        has(b'\'')
            || has(b'"')
            || self.delimiter != b',' && (has(b',') || self.body().contains('\u{a0}'))
    }
}

/// A row of the file.
struct Line<'a> {
    record: &'a StringRecord,
    rows: &'a Rows<'a>,
}

impl Row for Line<'_> {
    fn cell(&self, column: usize) -> Cell<'_> {
        Cell::Text(self.record[column].trim().into())
    }

    fn n_cells(&self) -> usize {
        self.record.len()
    }

    fn location(&self) -> RowLocation {
        let start = self.record.position().map_or(0, ::csv::Position::byte);
        let above = text::count_lines(&self.rows.text[..self.rows.begin]) as u64;
        RowLocation::Line(above + text::line_of_record(self.rows.body(), start as usize))
    }
}
