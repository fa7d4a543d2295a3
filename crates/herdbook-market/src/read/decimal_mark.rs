//! The decimal mark of a file: settled by any number that allows only one reading.

use super::cell::{Cell, Flow, Row, RowSink, Table};
use super::header::Header;
use super::number::{self, Evidence};
use super::options::{DecimalMark, ReadOptions};
use crate::error::MarketError;
use crate::location::FieldLocation;

/// The decimal mark of the file, from the options or the numbers.
///
/// # Errors
/// [`MarketError::AmbiguousNumber`] if every comma stands before three digits, so that it can be either mark.
pub(super) fn find(
    table: &impl Table,
    header: &Header,
    file: &str,
    options: &ReadOptions,
) -> Result<DecimalMark, MarketError> {
    if let Some(given) = options.decimal {
        return Ok(given);
    }
    if !table.may_have_grouped_numbers() {
        return Ok(DecimalMark::Dot);
    }
    let columns = header.prices().into_iter().chain(header.volume).collect();
    let mut search = Search { header, file, columns, found: None, ambiguous: None };
    table.each_row(&mut search)?;
    match (search.found, search.ambiguous) {
        (Some(found), _) => Ok(found),
        (None, Some((location, value))) => Err(MarketError::AmbiguousNumber { location, value }),
        (None, None) => Ok(DecimalMark::Dot),
    }
}

struct Search<'a> {
    header: &'a Header,
    file: &'a str,
    /// The columns with numbers.
    columns: Vec<usize>,
    found: Option<DecimalMark>,
    /// The first number that can be read with either mark.
    ambiguous: Option<(FieldLocation, String)>,
}

impl RowSink for Search<'_> {
    fn take(&mut self, row: &impl Row) -> Result<Flow, MarketError> {
        for idx in &self.columns {
            if *idx >= row.n_cells() {
                continue;
            }
            let Cell::Text(text) = row.cell(*idx) else { continue };
            match number::evidence(&text) {
                Evidence::Only(mark) => {
                    self.found = Some(mark);
                    return Ok(Flow::Stop);
                }
                Evidence::CommaOfThree if self.ambiguous.is_none() => {
                    self.ambiguous =
                        Some((self.header.location(self.file, row, *idx), text.into_owned()));
                }
                Evidence::CommaOfThree | Evidence::Nothing => {}
            }
        }
        Ok(Flow::Continue)
    }
}
