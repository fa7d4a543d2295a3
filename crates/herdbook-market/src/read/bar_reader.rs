//! Rows become bars: fields and order are checked, repeated rows are dropped and counted.

use std::cmp::Ordering;

use super::cell::{Cell, Row};
use super::header::{Header, RecognisedColumn};
use super::length;
use super::open_times::{OpenTimes, PreviousBar, RowOrder};
use super::options::ReadOptions;
use crate::bars::Bar;
use crate::error::{FieldLocation, MarketError};
use crate::time::Utc;

/// The bars of a file in their own length, before they are resampled to a timeframe.
#[derive(Debug, Clone, PartialEq)]
pub struct RawBars {
    pub(crate) file: String,
    pub(crate) bars: Vec<Bar>,
    pub(crate) bar_length_ms: i64,
    n_repeated_rows: usize,
    columns: Vec<RecognisedColumn>,
    remarks: Vec<String>,
    instrument: Option<String>,
}

impl RawBars {
    /// The bars, oldest first.
    pub fn as_slice(&self) -> &[Bar] {
        &self.bars
    }

    /// Length of one bar in milliseconds.
    ///
    /// This is the most frequent distance between consecutive opens, and the shortest of equally frequent ones. Nights,
    /// weekends and missing bars do not affect it.
    pub fn bar_length_ms(&self) -> i64 {
        self.bar_length_ms
    }

    /// Number of rows that were dropped because they repeat the row above exactly.
    pub fn n_repeated_rows(&self) -> usize {
        self.n_repeated_rows
    }

    /// Remarks for the user on what was recognised, assumed or left out.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The recognised columns, in the order of the file.
    pub fn columns(&self) -> &[RecognisedColumn] {
        &self.columns
    }

    /// The instrument, as the file names it in a column or its header; `None` if it does not.
    pub fn instrument(&self) -> Option<&str> {
        self.instrument.as_deref()
    }

    pub(super) fn of_instrument(mut self, name: Option<String>) -> Self {
        self.instrument = self.instrument.or(name);
        self
    }

    pub(super) fn add_remark(&mut self, remark: String) {
        self.remarks.push(remark);
    }

    pub(super) fn with_remark(mut self, remark: String) -> Self {
        self.remarks.insert(0, remark);
        self
    }
}

/// Turns rows into bars.
pub(super) struct BarReader<'a> {
    header: &'a Header,
    file: &'a str,
    times: OpenTimes<'a>,
    bars: Vec<Bar>,
    n_repeated_rows: usize,
    /// The instrument named by the first row.
    instrument: Option<String>,
    /// The order of the rows, known from the first two different times.
    order: Option<RowOrder>,
}

impl<'a> BarReader<'a> {
    /// A reader for about `n_expected` rows below a header.
    pub(super) fn new(
        header: &'a Header,
        file: &'a str,
        options: &'a ReadOptions,
        n_expected: usize,
    ) -> Self {
        Self {
            header,
            file,
            times: OpenTimes::new(header, file, options.zone),
            bars: Vec::with_capacity(n_expected),
            n_repeated_rows: 0,
            instrument: None,
            order: None,
        }
    }

    /// Adds the bar of a row.
    pub(super) fn add(&mut self, row: &impl Row) -> Result<(), MarketError> {
        self.check_instrument(row)?;
        let header = self.header;
        let price = |idx| self.price(row, idx);
        let (open, high) = (price(header.open)?, price(header.high)?);
        let (low, close) = (price(header.low)?, price(header.close)?);
        let mut bar = Bar { open_time_ms: 0, open, high, low, close, volume: self.volume(row)? };
        self.check_range(row, &bar)?;
        let last = self.bars.last();
        let before = PreviousBar {
            order: self.order,
            open_time_ms: last.map(|last| last.open_time_ms),
            has_same_values: last
                .is_some_and(|last| Bar { open_time_ms: last.open_time_ms, ..bar } == *last),
        };
        bar.open_time_ms = self.times.open_time_ms(row, before)?;
        if self.is_repeated(&bar, row)? {
            self.n_repeated_rows += 1;
        } else {
            self.bars.push(bar);
        }
        Ok(())
    }

    /// The bars, after the last row.
    pub(super) fn finish(mut self, mut remarks: Vec<String>) -> Result<RawBars, MarketError> {
        remarks.extend(self.times.finish()?);
        if self.order == Some(RowOrder::NewestFirst) {
            self.bars.reverse();
            remarks.push("newest first: the rows were reversed".to_owned());
        }
        Ok(RawBars {
            file: self.file.to_owned(),
            bar_length_ms: length::infer(&self.bars, self.file)?,
            bars: self.bars,
            n_repeated_rows: self.n_repeated_rows,
            columns: self.header.columns.clone(),
            remarks,
            instrument: self.instrument.filter(|name| !name.trim().is_empty()),
        })
    }

    /// Whether the bar repeats the last one exactly. A different bar with the same time and a change of the row order are
    /// errors.
    fn is_repeated(&mut self, bar: &Bar, row: &impl Row) -> Result<bool, MarketError> {
        let Some(last) = self.bars.last() else { return Ok(false) };
        if last == bar {
            return Ok(true);
        }
        let found = match last.open_time_ms.cmp(&bar.open_time_ms) {
            Ordering::Less => Some(RowOrder::OldestFirst),
            Ordering::Greater => Some(RowOrder::NewestFirst),
            Ordering::Equal => None,
        };
        if found.is_some_and(|found| *self.order.get_or_insert(found) == found) {
            return Ok(false);
        }
        let (location, value) = self.times.at(row);
        if last.open_time_ms == bar.open_time_ms {
            return Err(MarketError::ConflictingRows { location, value });
        }
        let turned = if found == Some(RowOrder::NewestFirst) { "before" } else { "after" };
        Err(MarketError::Unsorted { location, value, turned, previous: Utc(last.open_time_ms) })
    }

    fn check_instrument(&mut self, row: &impl Row) -> Result<(), MarketError> {
        let Some(idx) = self.header.instrument else { return Ok(()) };
        match (&self.instrument, row.cell(idx)) {
            (None, cell) => self.instrument = Some(cell.to_string()),
            (Some(first), Cell::Text(found)) if *first == *found => {}
            (Some(first), cell) if *first == cell.to_string() => {}
            (Some(first), _) => {
                let (location, value) = self.at(row, idx);
                return Err(MarketError::SecondInstrument {
                    location,
                    value,
                    first: first.clone(),
                });
            }
        }
        Ok(())
    }

    fn price(&self, row: &impl Row, idx: usize) -> Result<f64, MarketError> {
        let price = self.number(row, idx)?;
        if price <= 0.0 {
            let (location, value) = self.at(row, idx);
            return Err(MarketError::PriceNotPositive { location, value });
        }
        Ok(price)
    }

    fn volume(&self, row: &impl Row) -> Result<f64, MarketError> {
        let Some(idx) = self.header.volume else {
            return Ok(0.0);
        };
        let volume = self.number(row, idx)?;
        if volume < 0.0 {
            let (location, value) = self.at(row, idx);
            return Err(MarketError::NegativeVolume { location, value });
        }
        // Adding zero turns -0 into 0, so that equal bars have equal hashes.
        Ok(volume + 0.0)
    }

    fn number(&self, row: &impl Row, idx: usize) -> Result<f64, MarketError> {
        let number = match row.cell(idx) {
            Cell::Text(text) => text.parse().ok(),
            Cell::Number(number) => Some(number),
            Cell::Time(_) | Cell::Null => None,
        };
        number.filter(|number: &f64| number.is_finite()).ok_or_else(|| {
            let (location, value) = self.at(row, idx);
            MarketError::NotANumber { location, value }
        })
    }

    fn check_range(&self, row: &impl Row, bar: &Bar) -> Result<(), MarketError> {
        let others = [("low", bar.low), ("open", bar.open), ("close", bar.close)];
        for (other, price) in others {
            if bar.high < price {
                let (location, value) = self.at(row, self.header.high);
                return Err(MarketError::HighTooLow { location, value, other });
            }
            if bar.low > price {
                let (location, value) = self.at(row, self.header.low);
                return Err(MarketError::LowTooHigh { location, value, other });
            }
        }
        Ok(())
    }

    /// Location and text of a field.
    fn at(&self, row: &impl Row, idx: usize) -> (FieldLocation, String) {
        (self.header.location(self.file, row, idx), row.cell(idx).to_string())
    }
}
