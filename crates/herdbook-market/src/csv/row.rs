//! One row: its fields become a bar, or an error that names line, column and value.

use std::cmp::Ordering;

use ::csv::StringRecord;

use super::header::{Header, TimeColumns};
use super::reading::UtcOffset;
use super::text::line_of_record;
use super::time::{self, TimeProblem, TimeStyle};
use crate::{Bar, MarketError, Place, Utc};

/// Turns rows into bars.
pub(super) struct RowReader<'a> {
    header: &'a Header,
    file: &'a str,
    text: &'a str,
    style: Option<TimeStyle>,
    /// What the first row says of the instrument.
    instrument: Option<String>,
    /// Which way time goes, as the first two times say.
    order: Option<Order>,
    zone: Option<UtcOffset>,
    /// Lines before the file's own first one.
    n_added: u64,
}

/// Which way time goes down a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    OldestFirst,
    NewestFirst,
}

impl<'a> RowReader<'a> {
    pub(super) fn new(
        header: &'a Header,
        file: &'a str,
        text: &'a str,
        zone: Option<UtcOffset>,
        n_added: u64,
    ) -> Self {
        Self { header, file, text, style: None, instrument: None, order: None, zone, n_added }
    }

    /// Which way time goes; oldest first where one bar does not tell.
    pub(super) fn order(&self) -> Order {
        self.order.unwrap_or(Order::OldestFirst)
    }

    /// How the file writes its times, where that is worth saying.
    pub(super) fn style(&self) -> Option<TimeStyle> {
        self.style
    }

    /// The bar of a row.
    pub(super) fn bar(&mut self, record: &StringRecord) -> Result<Bar, MarketError> {
        if record.len() != self.header.names.len() {
            return Err(MarketError::ColumnCount {
                file: self.file.to_owned(),
                line: self.line(record),
                found: record.len(),
                expected: self.header.names.len(),
            });
        }
        self.check_instrument(record)?;
        let header = self.header;
        let bar = Bar {
            open_time_ms: self.open_time_ms(record)?,
            open: self.price(record, header.open)?,
            high: self.price(record, header.high)?,
            low: self.price(record, header.low)?,
            close: self.price(record, header.close)?,
            volume: self.volume(record)?,
        };
        self.check_range(record, &bar)?;
        Ok(bar)
    }

    /// Whether the bar repeats the last one exactly; an error where it contradicts it, or time turns round.
    pub(super) fn is_repeated(
        &mut self,
        last: Option<&Bar>,
        bar: &Bar,
        record: &StringRecord,
    ) -> Result<bool, MarketError> {
        let Some(last) = last else { return Ok(false) };
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
        let (place, value) = (self.place(record, self.time_column()), self.time_text(record));
        if last.open_time_ms == bar.open_time_ms {
            return Err(MarketError::ConflictingRows { place, value });
        }
        let turned = if found == Some(Order::NewestFirst) { "before" } else { "after" };
        Err(MarketError::Unsorted { place, value, turned, previous: Utc(last.open_time_ms) })
    }

    fn check_instrument(&mut self, record: &StringRecord) -> Result<(), MarketError> {
        let Some(idx) = self.header.instrument else { return Ok(()) };
        match &self.instrument {
            None => self.instrument = Some(record[idx].trim().to_owned()),
            Some(first) if *first != record[idx].trim() => {
                let (place, value) = self.at(record, idx);
                return Err(MarketError::SecondInstrument { place, value, first: first.clone() });
            }
            Some(_) => {}
        }
        Ok(())
    }

    fn open_time_ms(&mut self, record: &StringRecord) -> Result<i64, MarketError> {
        let shift_ms = self.shift_ms(record)?;
        let parsed = match self.header.time {
            TimeColumns::One(idx) => time::parse(record[idx].trim(), &mut self.style),
            TimeColumns::DateAndClock { date, clock } => {
                time::parse_parts(record[date].trim(), record[clock].trim())
            }
        };
        parsed.map(|at| at - shift_ms).map_err(|problem| {
            let (place, value) = (self.place(record, self.time_column()), self.time_text(record));
            match problem {
                TimeProblem::Ambiguous => MarketError::AmbiguousTime { place, value },
                TimeProblem::Unknown => MarketError::UnknownTime { place, value },
                TimeProblem::Mixed(first) => {
                    MarketError::MixedTimes { place, value, first: first.as_str() }
                }
            }
        })
    }

    /// How far east of UTC a time without a zone is. Where it may be a local one, the user has to say.
    fn shift_ms(&self, record: &StringRecord) -> Result<i64, MarketError> {
        let value = self.time_text(record);
        if time::has_zone(&value) {
            return Ok(0);
        }
        match self.zone {
            Some(zone) => Ok(zone.millis()),
            None if self.header.has_local_times() => {
                let place = self.place(record, self.time_column());
                Err(MarketError::UnknownZone { place, value })
            }
            None => Ok(0),
        }
    }

    fn price(&self, record: &StringRecord, idx: usize) -> Result<f64, MarketError> {
        let price = self.number(record, idx)?;
        if price <= 0.0 {
            let (place, value) = self.at(record, idx);
            return Err(MarketError::PriceNotPositive { place, value });
        }
        Ok(price)
    }

    fn volume(&self, record: &StringRecord) -> Result<f64, MarketError> {
        let Some(idx) = self.header.volume else {
            return Ok(0.0);
        };
        let volume = self.number(record, idx)?;
        if volume < 0.0 {
            let (place, value) = self.at(record, idx);
            return Err(MarketError::NegativeVolume { place, value });
        }
        // Adding zero turns -0 into 0, so that equal bars have equal hashes.
        Ok(volume + 0.0)
    }

    fn number(&self, record: &StringRecord, idx: usize) -> Result<f64, MarketError> {
        match record[idx].trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => {
                let (place, value) = self.at(record, idx);
                Err(MarketError::NotANumber { place, value })
            }
        }
    }

    fn check_range(&self, record: &StringRecord, bar: &Bar) -> Result<(), MarketError> {
        let others = [("low", bar.low), ("open", bar.open), ("close", bar.close)];
        for (other, price) in others {
            if bar.high < price {
                let (place, value) = self.at(record, self.header.high);
                return Err(MarketError::HighTooLow { place, value, other });
            }
            if bar.low > price {
                let (place, value) = self.at(record, self.header.low);
                return Err(MarketError::LowTooHigh { place, value, other });
            }
        }
        Ok(())
    }

    fn at(&self, record: &StringRecord, idx: usize) -> (Place, String) {
        (self.place(record, idx), record[idx].trim().to_owned())
    }

    fn place(&self, record: &StringRecord, idx: usize) -> Place {
        Place {
            file: self.file.to_owned(),
            line: self.line(record),
            column: self.header.names[idx].clone(),
        }
    }

    /// Counted only when an error needs it.
    fn line(&self, record: &StringRecord) -> u64 {
        let start = record.position().map_or(0, ::csv::Position::byte);
        line_of_record(self.text, start as usize) - self.n_added
    }

    fn time_column(&self) -> usize {
        match self.header.time {
            TimeColumns::One(idx) => idx,
            TimeColumns::DateAndClock { date, .. } => date,
        }
    }

    fn time_text(&self, record: &StringRecord) -> String {
        match self.header.time {
            TimeColumns::One(idx) => record[idx].trim().to_owned(),
            TimeColumns::DateAndClock { date, clock } => {
                format!("{} {}", record[date].trim(), record[clock].trim())
            }
        }
    }
}
