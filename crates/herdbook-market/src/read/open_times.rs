//! Opening times: the time columns of a row become a moment in UTC, also where local clocks are set forward or back.

use super::cell::{Cell, Row};
use super::file_time::{EpochUnit, FileTime};
use super::header::{Header, TimeColumns};
use super::time_text::{TimeProblem, TimeReader, TimeStyle};
use super::zone::{Local, Zone, places_of_clock_change};
use crate::error::MarketError;
use crate::location::FieldLocation;

/// Reads the times of a file, row by row.
///
/// Where clocks are set back, the local times of one hour occur twice. Only the neighbouring rows show which of the two is
/// meant: if the local times of the file go back once within that hour, the rows before that belong to the first pass, and
/// the rows after it to the second. A file with only one pass does not show which, and is refused.
pub(super) struct OpenTimes<'a> {
    header: &'a Header,
    file: &'a str,
    zone: Option<Zone>,
    reader: TimeReader,
    has_local_times: bool,
    /// Whether a time without a zone was read as UTC.
    has_naive_times: bool,
    repeated: Option<RepeatedHour>,
    n_resolved_by_order: usize,
    /// The last two times as the file writes them, in ms.
    last_two_local_ms: [i64; 2],
}

/// The order of the rows of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowOrder {
    OldestFirst,
    NewestFirst,
}

/// What is known of the rows above the current one.
#[derive(Debug, Clone, Copy)]
pub(super) struct PreviousBar {
    /// The order of the rows, once two different times were read.
    pub(super) order: Option<RowOrder>,
    /// When the bar above opens, in ms UTC.
    pub(super) open_time_ms: Option<i64>,
    /// Whether it has the same prices and volume as the current row.
    pub(super) has_same_values: bool,
}

/// The current run of rows whose local times occur twice.
struct RepeatedHour {
    /// Location and text of the first of these rows.
    at: (FieldLocation, String),
    /// Local time of the last of these rows, in ms.
    local_ms: i64,
    /// Whether local times went back, so that the second pass has begun.
    is_second_pass: bool,
}

impl<'a> OpenTimes<'a> {
    pub(super) fn new(
        header: &'a Header,
        file: &'a str,
        zone: Option<Zone>,
        reader: TimeReader,
    ) -> Self {
        Self {
            header,
            file,
            zone,
            reader,
            has_local_times: header.has_local_times(),
            has_naive_times: false,
            repeated: None,
            n_resolved_by_order: 0,
            last_two_local_ms: [0; 2],
        }
    }

    /// When the bar of a row opens, in ms UTC.
    pub(super) fn open_time_ms(
        &mut self,
        row: &impl Row,
        before: PreviousBar,
    ) -> Result<i64, MarketError> {
        let moment = self.moment(row)?;
        self.last_two_local_ms = [self.last_two_local_ms[1], moment.ms];
        let zone = match self.reader.place().or(self.zone) {
            _ if moment.has_zone => None,
            None if self.has_local_times => {
                let (location, value) = self.at(row);
                return Err(MarketError::UnknownZone { location, value });
            }
            zone => zone,
        };
        self.has_naive_times |= zone.is_none() && !moment.has_zone;
        match zone.map_or(Local::Once(moment.ms), |zone| zone.to_utc(moment.ms)) {
            Local::Once(ms) => {
                self.leave_repeated_hour()?;
                Ok(ms)
            }
            Local::Twice { first, second } => {
                let order = before.order.or_else(|| match before.open_time_ms? {
                    last if last < first => Some(RowOrder::OldestFirst),
                    last if last > second => Some(RowOrder::NewestFirst),
                    _ => None,
                });
                let Some(order) = order else {
                    return Err(self.ambiguous(self.at(row)));
                };
                let is_later = self.is_later_of_two(row, moment.ms, order, before.has_same_values);
                Ok(if is_later { second } else { first })
            }
            Local::Never => {
                let (location, value) = self.at(row);
                Err(MarketError::NoSuchLocalTime { location, value, zone: self.zone_name() })
            }
        }
    }

    /// Checks the last rows, and returns remarks for the user on the times.
    pub(super) fn finish(&mut self) -> Result<Vec<String>, MarketError> {
        self.leave_repeated_hour()?;
        let mut remarks = Vec::new();
        let unit = TimeStyle::Epoch;
        if let Some(style) = self.reader.style
            && [EpochUnit::Microseconds, EpochUnit::Nanoseconds].map(unit).contains(&style)
        {
            remarks.push(format!("times are {}", style.as_str()));
        }
        if let Some(zone) = self.zone {
            remarks.push(format!("times without a zone are read as {zone}"));
        }
        if self.n_resolved_by_order > 0 {
            remarks.push(format!(
                "clocks were set back: {} local times that occurred twice were resolved by their order",
                self.n_resolved_by_order
            ));
        }
        Ok(remarks)
    }

    /// The last two times as the file writes them, in ms.
    pub(super) const fn last_two_local_ms(&self) -> [i64; 2] {
        self.last_two_local_ms
    }

    /// Whether the order of the rows decided how some times were read.
    pub(super) const fn are_some_by_order(&self) -> bool {
        self.n_resolved_by_order > 0
    }

    /// The places whose clocks were set back at the local time of a row, if times without a zone are read as UTC.
    pub(super) fn places_of_clock_change(&self, open_time_ms: i64) -> Vec<Zone> {
        if self.has_naive_times { places_of_clock_change(open_time_ms) } else { Vec::new() }
    }

    /// Location and text of a row's time.
    pub(super) fn at(&self, row: &impl Row) -> (FieldLocation, String) {
        let (column, text) = match self.header.time {
            TimeColumns::One(idx) => (idx, row.cell(idx).to_string()),
            TimeColumns::DateAndClock { date, clock } => {
                (date, format!("{} {}", row.cell(date), row.cell(clock)))
            }
        };
        (self.header.location(self.file, row, column), text)
    }

    fn moment(&mut self, row: &impl Row) -> Result<FileTime, MarketError> {
        let moment = match self.header.time {
            TimeColumns::One(idx) => match row.cell(idx) {
                Cell::Text(text) => self.reader.text(&text),
                Cell::Number(number) => self.reader.number(number),
                Cell::Time(moment) => Ok(moment),
                Cell::Null => Err(TimeProblem::Unknown),
            },
            TimeColumns::DateAndClock { date, clock } => {
                self.reader.parts(&row.cell(date).to_string(), &row.cell(clock).to_string())
            }
        };
        moment.map_err(|problem| {
            let (location, value) = self.at(row);
            match problem {
                TimeProblem::Ambiguous => MarketError::AmbiguousTime { location, value },
                TimeProblem::Unknown => MarketError::UnknownTime { location, value },
                TimeProblem::Mixed(first) => {
                    MarketError::MixedTimes { location, value, first: first.as_str() }
                }
                TimeProblem::OtherOrder(order) => {
                    MarketError::OtherDateOrder { location, value, order: order.as_str() }
                }
                TimeProblem::NotAsGiven => MarketError::NotInFormat { location, value },
            }
        })
    }

    /// Whether a local time that occurs twice is the later of the two.
    fn is_later_of_two(
        &mut self,
        row: &impl Row,
        local_ms: i64,
        order: RowOrder,
        has_same_values: bool,
    ) -> bool {
        self.n_resolved_by_order += 1;
        let at = self.repeated.is_none().then(|| self.at(row));
        let repeated = match (&mut self.repeated, at) {
            (Some(repeated), _) => repeated,
            (empty, at) => empty.insert(RepeatedHour {
                at: at.expect("made for the first of these rows"),
                local_ms: if order == RowOrder::OldestFirst { i64::MIN } else { i64::MAX },
                is_second_pass: false,
            }),
        };
        let goes_back = match order {
            RowOrder::OldestFirst => local_ms <= repeated.local_ms,
            RowOrder::NewestFirst => local_ms >= repeated.local_ms,
        };
        // A row that repeats the one above exactly does not begin the second pass.
        repeated.is_second_pass |= goes_back && !(has_same_values && local_ms == repeated.local_ms);
        repeated.local_ms = local_ms;
        repeated.is_second_pass == (order == RowOrder::OldestFirst)
    }

    fn leave_repeated_hour(&mut self) -> Result<(), MarketError> {
        match self.repeated.take() {
            Some(repeated) if !repeated.is_second_pass => Err(self.ambiguous(repeated.at)),
            _ => Ok(()),
        }
    }

    fn ambiguous(&self, (location, value): (FieldLocation, String)) -> MarketError {
        MarketError::LocalTimeTwice { location, value, zone: self.zone_name() }
    }

    fn zone_name(&self) -> String {
        self.zone.map(|zone| zone.to_string()).unwrap_or_default()
    }
}
