//! When bars open: the time columns of a row become a moment, local clocks that change included.

use super::bars::{Order, place};
use super::cell::{Cell, Row};
use super::header::{Header, TimeColumns};
use super::time::{self, Moment, TimeProblem, TimeStyle};
use super::zone::{Local, Zone};
use crate::{MarketError, Place};

/// Reads the times of a file, in the order of its rows.
///
/// A local time that comes twice, where clocks are set back, is certain only by the rows around it: where times go
/// back once, by as much as the clocks, the rows before that are of the first pass and those after it of the
/// second. A file that has one pass only does not say which, and is refused.
pub(super) struct Times<'a> {
    header: &'a Header,
    file: &'a str,
    zone: Option<Zone>,
    /// How the file writes its times, as the first one says.
    style: Option<TimeStyle>,
    folded: Option<FoldedHour>,
    n_told_by_order: usize,
}

/// What is known of the rows above.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before {
    /// Which way time goes, where two of them told.
    pub(super) order: Option<Order>,
    /// When the last bar opens.
    pub(super) open_time_ms: Option<i64>,
    /// Whether its prices and volume are those of the row that is read.
    pub(super) is_same: bool,
}

/// Rows, one after the other, whose local times come twice.
struct FoldedHour {
    /// The first of them.
    at: (Place, String),
    /// The local time of the last of them.
    local_ms: i64,
    /// Whether times went back, so that the second pass has begun.
    is_turned: bool,
}

impl<'a> Times<'a> {
    pub(super) fn new(header: &'a Header, file: &'a str, zone: Option<Zone>) -> Self {
        Self { header, file, zone, style: None, folded: None, n_told_by_order: 0 }
    }

    /// When the bar of a row opens, which equals the row above but for its time where `before.is_same`.
    pub(super) fn open_time_ms(
        &mut self,
        row: &impl Row,
        before: Before,
    ) -> Result<i64, MarketError> {
        let moment = self.moment(row)?;
        let zone = match self.zone {
            _ if moment.has_zone => None,
            None if self.header.has_local_times() => {
                let (place, value) = self.at(row);
                return Err(MarketError::UnknownZone { place, value });
            }
            zone => zone,
        };
        match zone.map_or(Local::Once(moment.ms), |zone| zone.to_utc(moment.ms)) {
            Local::Once(ms) => {
                self.leave_folded_hour()?;
                Ok(ms)
            }
            Local::Twice { first, second } => {
                let order = before.order.or_else(|| match before.open_time_ms? {
                    last if last < first => Some(Order::OldestFirst),
                    last if last > second => Some(Order::NewestFirst),
                    _ => None,
                });
                let Some(order) = order else {
                    return Err(self.told_by_nothing(self.at(row)));
                };
                let is_second = self.is_second_pass(row, moment.ms, order, before.is_same);
                Ok(if is_second { second } else { first })
            }
            Local::Never => {
                let (place, value) = self.at(row);
                Err(MarketError::NoSuchLocalTime { place, value, zone: self.zone_name() })
            }
        }
    }

    /// What is worth saying of the times, once all rows are there.
    pub(super) fn finish(&mut self) -> Result<Vec<String>, MarketError> {
        self.leave_folded_hour()?;
        let mut remarks = Vec::new();
        if let Some(style @ (TimeStyle::Microseconds | TimeStyle::Nanoseconds)) = self.style {
            remarks.push(format!("times are {}", style.as_str()));
        }
        if let Some(zone) = self.zone {
            remarks.push(format!("times without a zone are read as {zone}"));
        }
        if self.n_told_by_order > 0 {
            remarks.push(format!(
                "clocks set back: {} times that come twice are told apart by their order",
                self.n_told_by_order
            ));
        }
        Ok(remarks)
    }

    /// The place of a row's time, and its text.
    pub(super) fn at(&self, row: &impl Row) -> (Place, String) {
        let (column, text) = match self.header.time {
            TimeColumns::One(idx) => (idx, row.cell(idx).to_string()),
            TimeColumns::DateAndClock { date, clock } => {
                (date, format!("{} {}", row.cell(date), row.cell(clock)))
            }
        };
        (place(self.header, self.file, row, column), text)
    }

    fn moment(&mut self, row: &impl Row) -> Result<Moment, MarketError> {
        let moment = match self.header.time {
            TimeColumns::One(idx) => match row.cell(idx) {
                Cell::Text(text) => time::parse(&text, &mut self.style),
                Cell::Number(number) => time::parse_number(number, &mut self.style),
                Cell::Moment(moment) => Ok(moment),
                Cell::Null => Err(TimeProblem::Unknown),
            },
            TimeColumns::DateAndClock { date, clock } => {
                time::parse_parts(&row.cell(date).to_string(), &row.cell(clock).to_string())
            }
        };
        moment.and_then(Moment::checked).map_err(|problem| {
            let (place, value) = self.at(row);
            match problem {
                TimeProblem::Ambiguous => MarketError::AmbiguousTime { place, value },
                TimeProblem::Unknown => MarketError::UnknownTime { place, value },
                TimeProblem::Mixed(first) => {
                    MarketError::MixedTimes { place, value, first: first.as_str() }
                }
            }
        })
    }

    /// Whether a local time that comes twice is the later one of the two.
    fn is_second_pass(
        &mut self,
        row: &impl Row,
        local_ms: i64,
        order: Order,
        is_same: bool,
    ) -> bool {
        self.n_told_by_order += 1;
        let at = self.folded.is_none().then(|| self.at(row));
        let folded = match (&mut self.folded, at) {
            (Some(folded), _) => folded,
            (empty, at) => empty.insert(FoldedHour {
                at: at.expect("made just now"),
                local_ms: if order == Order::OldestFirst { i64::MIN } else { i64::MAX },
                is_turned: false,
            }),
        };
        let goes_back = match order {
            Order::OldestFirst => local_ms <= folded.local_ms,
            Order::NewestFirst => local_ms >= folded.local_ms,
        };
        // The same row once more is a repeated row, not the second pass.
        folded.is_turned |= goes_back && !(is_same && local_ms == folded.local_ms);
        folded.local_ms = local_ms;
        folded.is_turned == (order == Order::OldestFirst)
    }

    fn leave_folded_hour(&mut self) -> Result<(), MarketError> {
        match self.folded.take() {
            Some(folded) if !folded.is_turned => Err(self.told_by_nothing(folded.at)),
            _ => Ok(()),
        }
    }

    fn told_by_nothing(&self, (place, value): (Place, String)) -> MarketError {
        MarketError::LocalTimeTwice { place, value, zone: self.zone_name() }
    }

    fn zone_name(&self) -> String {
        self.zone.map(|zone| zone.to_string()).unwrap_or_default()
    }
}
