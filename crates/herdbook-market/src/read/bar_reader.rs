//! Rows become bars: fields and order are checked, repeated rows are dropped and counted.

use std::cmp::Ordering;
use std::mem;

use super::cell::{Cell, Flow, Row, RowSink};
use super::faults::{FaultKind, Faults};
use super::header::Header;
use super::length;
use super::number;
use super::open_times::{OpenTimes, PreviousBar, RowOrder};
use super::options::{BadRows, BarStamp, DecimalMark, ReadOptions};
use super::rounding;
use super::row_order::Steps;
use super::stamps;
use super::time_text::TimeReader;
use crate::bars::Bar;
use crate::error::MarketError;
use crate::location::FieldLocation;

use super::raw_bars::RawBars;

/// After so many faults of times the rest of the file is not read: its times are wrong as a whole.
const MAX_TIME_FAULTS: usize = 200;

/// Turns rows into bars.
pub(super) struct BarReader<'a> {
    header: &'a Header,
    file: &'a str,
    times: OpenTimes<'a>,
    decimal: DecimalMark,
    stamped: Option<BarStamp>,
    bad_rows: BadRows,
    bars: Vec<Bar>,
    faults: Faults,
    n_time_faults: usize,
    counts: Counts,
    /// The instrument named by the first row.
    instrument: Option<String>,
    /// The order of the first two rows with different times.
    order: Option<RowOrder>,
    steps: Steps,
}

/// Numbers of rows that were changed or left out, for the remarks.
#[derive(Debug, Default)]
struct Counts {
    repeated: usize,
    blank: usize,
    rounded: usize,
    without_volume: usize,
}

/// A fault of a row, before its description is made.
#[derive(Debug, Clone, Copy)]
enum RowFault {
    ColumnCount,
    NoPrices,
    NotANumber(usize),
    PriceNotPositive(usize),
    NegativeVolume(usize),
    HighTooLow(&'static str),
    LowTooHigh(&'static str),
}

impl<'a> BarReader<'a> {
    pub(super) fn new(
        header: &'a Header,
        file: &'a str,
        options: &'a ReadOptions,
        times: TimeReader,
        decimal: DecimalMark,
    ) -> Self {
        Self {
            header,
            file,
            times: OpenTimes::new(header, file, options.zone, times),
            decimal,
            stamped: options.stamped.or(header.stamped),
            bad_rows: options.bad_rows,
            bars: Vec::new(),
            faults: Faults::default(),
            n_time_faults: 0,
            counts: Counts::default(),
            instrument: None,
            order: None,
            steps: Steps::default(),
        }
    }

    /// Makes room for about `n_rows` bars.
    pub(super) fn reserve(&mut self, n_rows: usize) {
        self.bars.reserve(n_rows);
    }

    /// The bars, after the last row.
    pub(super) fn finish(mut self, mut remarks: Vec<String>) -> Result<RawBars, MarketError> {
        let n_valid = self.bars.len();
        let is_refused = self.bad_rows == BadRows::Refuse
            || !self.faults.can_be_skipped()
            || self.faults.are_columns_swapped(n_valid);
        if is_refused && self.faults.n_rows() > 0 || self.bars.is_empty() {
            let file = self.file.to_owned();
            let error = self.faults.into_error(self.file, n_valid);
            return Err(error.unwrap_or(MarketError::OnlyHeader { file }));
        }
        remarks.extend(self.times.finish()?);
        let are_times_by_order = self.times.are_some_by_order();
        let (remark, n_repeated) =
            mem::take(&mut self.steps).sort(&mut self.bars, are_times_by_order)?;
        remarks.extend(remark);
        self.counts.repeated += n_repeated;
        let usual_ms = length::most_frequent(&self.bars, self.file)?;
        remarks.extend(stamps::settle(&mut self.bars, usual_ms, self.stamped, self.file)?);
        remarks.extend(self.remarks_on_rows());
        Ok(RawBars {
            file: self.file.to_owned(),
            bar_length_ms: length::infer(&self.bars, self.file)?,
            bars: self.bars,
            n_repeated_rows: self.counts.repeated,
            n_bad_rows: self.faults.n_rows(),
            columns: self.header.columns.clone(),
            remarks,
            instrument: self.instrument.filter(|name| !Cell::Text(name.into()).is_missing()),
        })
    }

    fn remarks_on_rows(&self) -> Vec<String> {
        let Counts { blank, rounded, without_volume, .. } = self.counts;
        let mut remarks = Vec::new();
        if self.faults.n_rows() > 0 {
            let (n_bad, counts) = (self.faults.n_rows(), self.faults.counts());
            remarks.push(format!("bad rows left out: {n_bad} ({counts})"));
        }
        if blank > 0 {
            remarks.push(format!("empty rows left out: {blank}"));
        }
        if rounded > 0 {
            remarks.push(format!(
                "rounding: in {rounded} bars the high or low was a few units in the last place \
                 inside the open or close, and was set to it"
            ));
        }
        if without_volume > 0 {
            remarks.push(format!("the volume is missing in {without_volume} rows, and is 0 there"));
        }
        remarks
    }

    fn add(&mut self, row: &impl Row) -> Result<(), MarketError> {
        let mut bar = match self.bar(row) {
            Ok(bar) => bar,
            Err(fault) => {
                self.add_fault(row, fault);
                return Ok(());
            }
        };
        self.check_instrument(row)?;
        let last = self.bars.last();
        let before = PreviousBar {
            order: self.order,
            open_time_ms: last.map(|last| last.open_time_ms),
            has_same_values: last
                .is_some_and(|last| Bar { open_time_ms: last.open_time_ms, ..bar } == *last),
        };
        bar.open_time_ms = match self.times.open_time_ms(row, before) {
            Ok(ms) => ms,
            Err(error) => return self.add_time_fault(error),
        };
        self.steps.add_hour(self.times.last_two_local_ms()[1]);
        match self.is_repeated(&bar, row) {
            Ok(true) => self.counts.repeated += 1,
            Ok(false) => self.bars.push(bar),
            Err(error) => return self.add_time_fault(error),
        }
        Ok(())
    }

    /// Adds the fault of a time. Faults that concern the whole file end the reading.
    fn add_time_fault(&mut self, error: MarketError) -> Result<(), MarketError> {
        let kind = match error {
            MarketError::AmbiguousTime { .. }
            | MarketError::UnknownZone { .. }
            | MarketError::ClockChange { .. } => return Err(error),
            MarketError::UnknownTime { .. } => FaultKind::Time,
            MarketError::MixedTimes { .. }
            | MarketError::OtherDateOrder { .. }
            | MarketError::NotInFormat { .. } => FaultKind::TimeFormat,
            _ => FaultKind::Order,
        };
        self.n_time_faults += 1;
        self.faults.add(kind, || error);
        Ok(())
    }

    /// The prices and the volume of a row.
    fn bar(&mut self, row: &impl Row) -> Result<Bar, RowFault> {
        let n_names = self.header.names.len();
        let n_cells = row.n_cells();
        if n_cells != n_names && !self.fits(row) {
            return Err(RowFault::ColumnCount);
        }
        let header = self.header;
        let price = |idx| self.price(row, idx);
        let prices = (|| {
            Ok((price(header.open)?, price(header.high)?, price(header.low)?, price(header.close)?))
        })();
        let (open, high, low, close) = prices.map_err(|fault| {
            let has_none = header.prices().into_iter().all(|idx| row.cell(idx).is_missing());
            if has_none { RowFault::NoPrices } else { fault }
        })?;
        let mut bar = Bar { open_time_ms: 0, open, high, low, close, volume: self.volume(row)? };
        if let Some(problem) = out_of_range(&bar) {
            rounding::widen(&mut bar).ok_or(problem)?;
            self.counts.rounded += 1;
        }
        Ok(bar)
    }

    /// Whether a row with another number of fields than the header can be read: those beyond the header are blank, or
    /// those that it lacks have no name.
    fn fits(&self, row: &impl Row) -> bool {
        let (n_names, n_cells) = (self.header.names.len(), row.n_cells());
        if n_cells > n_names {
            return (n_names..n_cells).all(|idx| row.cell(idx).is_blank());
        }
        self.header.names[n_cells..].iter().all(String::is_empty)
    }

    /// Whether the bar repeats the last one exactly. A different bar with the same time is an error, and so is a row out of
    /// order where clocks were set back.
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
        if let Some(found) = found {
            let times = &self.times;
            self.steps.add(found, last.open_time_ms, times.last_two_local_ms(), || times.at(row));
            if *self.order.get_or_insert(found) == found {
                return Ok(false);
            }
        }
        let (location, value) = self.times.at(row);
        let zones = self.times.places_of_clock_change(bar.open_time_ms);
        if !zones.is_empty() {
            let zones = zones.iter().map(ToString::to_string).collect();
            return Err(MarketError::ClockChange { location, value, zones });
        }
        if found.is_none() {
            return Err(MarketError::ConflictingRows { location, value });
        }
        Ok(false)
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

    fn price(&self, row: &impl Row, idx: usize) -> Result<f64, RowFault> {
        let price = match row.cell(idx) {
            Cell::Text(text) => number::parse(&text, self.decimal),
            Cell::Number(number) => Some(number).filter(|number| number.is_finite()),
            Cell::Time(_) | Cell::Null => None,
        };
        match price {
            Some(price) if price > 0.0 => Ok(price),
            Some(_) => Err(RowFault::PriceNotPositive(idx)),
            None => Err(RowFault::NotANumber(idx)),
        }
    }

    fn volume(&mut self, row: &impl Row) -> Result<f64, RowFault> {
        let Some(idx) = self.header.volume else {
            return Ok(0.0);
        };
        if idx >= row.n_cells() {
            return Ok(0.0);
        }
        let cell = row.cell(idx);
        let volume = match &cell {
            Cell::Text(text) => number::parse_with_unit(text, self.decimal),
            Cell::Number(number) => Some(*number).filter(|number| number.is_finite()),
            Cell::Time(_) | Cell::Null => None,
        };
        match volume {
            // Adding zero turns -0 into 0, so that equal bars have equal hashes.
            Some(volume) if volume >= 0.0 => Ok(volume + 0.0),
            Some(_) => Err(RowFault::NegativeVolume(idx)),
            None if cell.is_missing() => {
                self.counts.without_volume += 1;
                Ok(0.0)
            }
            None => Err(RowFault::NotANumber(idx)),
        }
    }

    fn add_fault(&mut self, row: &impl Row, fault: RowFault) {
        let (header, file) = (self.header, self.file);
        let at = |idx: usize| (header.location(file, row, idx), row.cell(idx).to_string());
        let kind = match fault {
            RowFault::ColumnCount => FaultKind::ColumnCount,
            RowFault::NoPrices => FaultKind::NoPrices,
            RowFault::NotANumber(_) => FaultKind::NotANumber,
            RowFault::PriceNotPositive(_) => FaultKind::PriceNotPositive,
            RowFault::NegativeVolume(_) => FaultKind::NegativeVolume,
            RowFault::HighTooLow(_) | RowFault::LowTooHigh(_) => FaultKind::Range,
        };
        self.faults.add(kind, || match fault {
            RowFault::ColumnCount => MarketError::ColumnCount {
                file: file.to_owned(),
                row: row.location(),
                found: row.n_cells(),
                expected: header.names.len(),
            },
            RowFault::NoPrices => {
                MarketError::NoPrices { file: file.to_owned(), row: row.location() }
            }
            RowFault::NotANumber(idx) => {
                let (location, value) = at(idx);
                MarketError::NotANumber { location, value }
            }
            RowFault::PriceNotPositive(idx) => {
                let (location, value) = at(idx);
                MarketError::PriceNotPositive { location, value }
            }
            RowFault::NegativeVolume(idx) => {
                let (location, value) = at(idx);
                MarketError::NegativeVolume { location, value }
            }
            RowFault::HighTooLow(other) => {
                let (location, value) = at(header.high);
                MarketError::HighTooLow { location, value, other }
            }
            RowFault::LowTooHigh(other) => {
                let (location, value) = at(header.low);
                MarketError::LowTooHigh { location, value, other }
            }
        });
    }

    /// Location and text of a field.
    fn at(&self, row: &impl Row, idx: usize) -> (FieldLocation, String) {
        (self.header.location(self.file, row, idx), row.cell(idx).to_string())
    }
}

impl RowSink for BarReader<'_> {
    fn take(&mut self, row: &impl Row) -> Result<Flow, MarketError> {
        let n_cells = row.n_cells();
        let is_blank = |idx: usize| row.cell(idx).is_blank();
        let is_blank = n_cells == 0 || is_blank(0) && (1..n_cells).all(is_blank);
        if is_blank {
            self.counts.blank += 1;
        } else {
            self.add(row)?;
        }
        Ok(if self.n_time_faults < MAX_TIME_FAULTS { Flow::Continue } else { Flow::Stop })
    }
}

fn out_of_range(bar: &Bar) -> Option<RowFault> {
    let others = [("low", bar.low), ("open", bar.open), ("close", bar.close)];
    others.into_iter().find_map(|(other, price)| match () {
        () if bar.high < price => Some(RowFault::HighTooLow(other)),
        () if bar.low > price => Some(RowFault::LowTooHigh(other)),
        () => None,
    })
}
