//! The first rows of a table, kept in memory: they show what columns hold whose names leave it open.

use super::cell::{Cell, Flow, Row, RowSink, Table};
use super::number::parse_with_unit;
use super::options::DecimalMark;
use super::time_text::{TimeProblem, TimeReader, TimeStyle};
use crate::error::MarketError;

/// So many rows are looked at.
pub(super) const SURVEY_ROWS: usize = 500;

/// The first rows of a table.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) rows: Vec<Vec<Cell<'static>>>,
}

impl Survey {
    pub(super) fn of(table: &impl Table) -> Result<Self, MarketError> {
        let mut survey = Self::default();
        table.each_row(&mut survey)?;
        Ok(survey)
    }

    /// The values of a column, without missing ones.
    fn values(&self, column: usize) -> impl Iterator<Item = &Cell<'static>> {
        self.rows.iter().filter_map(move |row| row.get(column)).filter(|cell| !cell.is_missing())
    }

    /// Whether every value of a column is a time, and there is one.
    pub(super) fn is_time(&self, column: usize) -> bool {
        let is_time = |cell: &Cell| reading(cell) != Reading::None;
        let mut values = self.values(column).peekable();
        values.peek().is_some() && values.all(is_time)
    }

    /// Whether every value of a column is an epoch number, and there is one.
    pub(super) fn is_epoch(&self, column: usize) -> bool {
        let is_epoch =
            |cell: &Cell| matches!(reading(cell), Reading::Time(Some(TimeStyle::Epoch(_))));
        let mut values = self.values(column).peekable();
        values.peek().is_some() && values.all(is_epoch)
    }

    /// Whether no value of a column differs from zero. A survey without rows does not know.
    pub(super) fn is_zero(&self, column: usize) -> bool {
        let is_zero = |cell: &Cell| match cell {
            Cell::Number(number) => *number == 0.0,
            Cell::Text(text) => text.parse() == Ok(0.0),
            Cell::Time(_) | Cell::Null => false,
        };
        !self.rows.is_empty() && self.values(column).all(is_zero)
    }

    /// The most frequent number of fields of a row; the greater of equally frequent ones.
    pub(super) fn n_fields(&self) -> usize {
        let count = |length: usize| self.rows.iter().filter(|row| row.len() == length).count();
        self.rows
            .iter()
            .map(Vec::len)
            .max_by_key(|length| (count(*length), *length))
            .unwrap_or_default()
    }

    /// Whether most rows have fewer fields than there are names, or more that are not blank.
    pub(super) fn does_not_fit(&self, n_names: usize) -> bool {
        let n_fields = self.n_fields();
        let has_more = |row: &Vec<Cell>| row.iter().skip(n_names).any(|cell| !cell.is_blank());
        !self.rows.is_empty() && (n_fields < n_names || self.rows.iter().any(has_more))
    }
}

impl RowSink for Survey {
    fn take(&mut self, row: &impl Row) -> Result<Flow, MarketError> {
        let cells: Vec<Cell<'static>> =
            (0..row.n_cells()).map(|idx| row.cell(idx).into_owned()).collect();
        if !cells.iter().all(Cell::is_blank) {
            self.rows.push(cells);
        }
        Ok(if self.rows.len() < SURVEY_ROWS { Flow::Continue } else { Flow::Stop })
    }
}

/// What a value is as a time.
#[derive(Debug, PartialEq, Eq)]
enum Reading {
    /// A time, with its style if it is a text or a number.
    Time(Option<TimeStyle>),
    /// A date whose order of day and month is open.
    Ambiguous,
    None,
}

fn reading(cell: &Cell<'_>) -> Reading {
    let mut times = TimeReader::default();
    let read = match cell {
        Cell::Text(text) => times.text(text),
        Cell::Number(number) => times.number(*number),
        Cell::Time(time) => Ok(*time),
        Cell::Null => return Reading::None,
    };
    match read {
        Ok(_) => Reading::Time(times.style),
        Err(TimeProblem::Ambiguous) => Reading::Ambiguous,
        Err(_) => Reading::None,
    }
}

/// Whether a text is a number or a time, so that its line is a row and not a header.
pub(super) fn is_value(text: &str) -> bool {
    is_number(text) || reading(&Cell::Text(text.into())) != Reading::None
}

/// Whether a text is a number, with either decimal mark.
pub(super) fn is_number(text: &str) -> bool {
    parse_with_unit(text, DecimalMark::Dot).is_some()
        || parse_with_unit(text, DecimalMark::Comma).is_some()
}
