//! Rows become bars: their fields checked, their order, and what was dropped counted.

use std::cmp::Ordering;

use super::cell::{Cell, Row};
use super::header::{Column, Header};
use super::length;
use super::reading::Reading;
use super::times::{Before, Times};
use crate::{Bar, MarketError, Place, Utc};

/// Bars as a file has them, before they are brought to a timeframe.
#[derive(Debug, Clone, PartialEq)]
pub struct RawBars {
    pub(crate) file: String,
    pub(crate) bars: Vec<Bar>,
    pub(crate) bar_length_ms: i64,
    n_repeated_rows: usize,
    columns: Vec<Column>,
    remarks: Vec<String>,
}

impl RawBars {
    /// The bars, oldest first.
    pub fn as_slice(&self) -> &[Bar] {
        &self.bars
    }

    /// Length of one bar: the time that most often lies between two of them (of equally frequent
    /// ones the shortest), so that nights, weekends and missing bars do not mislead.
    pub fn bar_length_ms(&self) -> i64 {
        self.bar_length_ms
    }

    /// Rows dropped because they repeated the row above exactly.
    pub fn n_repeated_rows(&self) -> usize {
        self.n_repeated_rows
    }

    /// What was recognised or left out, in sentences for the user.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The columns that were recognised, in the order of the file.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub(super) fn with_remark(mut self, remark: String) -> Self {
        self.remarks.insert(0, remark);
        self
    }
}

/// Which way time goes down a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    OldestFirst,
    NewestFirst,
}

/// Turns rows into bars.
pub(super) struct BarReader<'a> {
    header: &'a Header,
    file: &'a str,
    times: Times<'a>,
    bars: Vec<Bar>,
    n_repeated_rows: usize,
    /// What the first row says of the instrument.
    instrument: Option<String>,
    /// Which way time goes, as the first two times say.
    order: Option<Order>,
}

impl<'a> BarReader<'a> {
    /// For rows under a header, about so many of them.
    pub(super) fn new(
        header: &'a Header,
        file: &'a str,
        reading: &'a Reading,
        n_expected: usize,
    ) -> Self {
        Self {
            header,
            file,
            times: Times::new(header, file, reading.zone),
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
        let before = Before {
            order: self.order,
            open_time_ms: last.map(|last| last.open_time_ms),
            is_same: last
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

    /// The bars, once all rows are there.
    pub(super) fn finish(mut self, mut remarks: Vec<String>) -> Result<RawBars, MarketError> {
        remarks.extend(self.times.finish()?);
        if self.order == Some(Order::NewestFirst) {
            self.bars.reverse();
            remarks.push("newest first: turned round".to_owned());
        }
        Ok(RawBars {
            file: self.file.to_owned(),
            bar_length_ms: length::infer(&self.bars, self.file)?,
            bars: self.bars,
            n_repeated_rows: self.n_repeated_rows,
            columns: self.header.columns.clone(),
            remarks,
        })
    }

    /// Whether the bar repeats the last one exactly; an error where it contradicts it, or time turns round.
    fn is_repeated(&mut self, bar: &Bar, row: &impl Row) -> Result<bool, MarketError> {
        let Some(last) = self.bars.last() else { return Ok(false) };
        if last == bar {
            return Ok(true);
        }
        let found = match last.open_time_ms.cmp(&bar.open_time_ms) {
            Ordering::Less => Some(Order::OldestFirst),
            Ordering::Greater => Some(Order::NewestFirst),
            Ordering::Equal => None,
        };
        if found.is_some_and(|found| *self.order.get_or_insert(found) == found) {
            return Ok(false);
        }
        let (place, value) = self.times.at(row);
        if last.open_time_ms == bar.open_time_ms {
            return Err(MarketError::ConflictingRows { place, value });
        }
        let turned = if found == Some(Order::NewestFirst) { "before" } else { "after" };
        Err(MarketError::Unsorted { place, value, turned, previous: Utc(last.open_time_ms) })
    }

    fn check_instrument(&mut self, row: &impl Row) -> Result<(), MarketError> {
        let Some(idx) = self.header.instrument else { return Ok(()) };
        match (&self.instrument, row.cell(idx)) {
            (None, cell) => self.instrument = Some(cell.to_string()),
            (Some(first), Cell::Text(found)) if *first == *found => {}
            (Some(first), cell) if *first == cell.to_string() => {}
            (Some(first), _) => {
                let (place, value) = self.at(row, idx);
                return Err(MarketError::SecondInstrument { place, value, first: first.clone() });
            }
        }
        Ok(())
    }

    fn price(&self, row: &impl Row, idx: usize) -> Result<f64, MarketError> {
        let price = self.number(row, idx)?;
        if price <= 0.0 {
            let (place, value) = self.at(row, idx);
            return Err(MarketError::PriceNotPositive { place, value });
        }
        Ok(price)
    }

    fn volume(&self, row: &impl Row) -> Result<f64, MarketError> {
        let Some(idx) = self.header.volume else {
            return Ok(0.0);
        };
        let volume = self.number(row, idx)?;
        if volume < 0.0 {
            let (place, value) = self.at(row, idx);
            return Err(MarketError::NegativeVolume { place, value });
        }
        // Adding zero turns -0 into 0, so that equal bars have equal hashes.
        Ok(volume + 0.0)
    }

    fn number(&self, row: &impl Row, idx: usize) -> Result<f64, MarketError> {
        let number = match row.cell(idx) {
            Cell::Text(text) => text.parse().ok(),
            Cell::Number(number) => Some(number),
            Cell::Moment(_) | Cell::Null => None,
        };
        number.filter(|number: &f64| number.is_finite()).ok_or_else(|| {
            let (place, value) = self.at(row, idx);
            MarketError::NotANumber { place, value }
        })
    }

    fn check_range(&self, row: &impl Row, bar: &Bar) -> Result<(), MarketError> {
        let others = [("low", bar.low), ("open", bar.open), ("close", bar.close)];
        for (other, price) in others {
            if bar.high < price {
                let (place, value) = self.at(row, self.header.high);
                return Err(MarketError::HighTooLow { place, value, other });
            }
            if bar.low > price {
                let (place, value) = self.at(row, self.header.low);
                return Err(MarketError::LowTooHigh { place, value, other });
            }
        }
        Ok(())
    }

    fn at(&self, row: &impl Row, idx: usize) -> (Place, String) {
        (place(self.header, self.file, row, idx), row.cell(idx).to_string())
    }
}

/// A field's place in its file.
pub(super) fn place(header: &Header, file: &str, row: &impl Row, idx: usize) -> Place {
    Place { file: file.to_owned(), spot: row.spot(), column: header.names[idx].clone() }
}
