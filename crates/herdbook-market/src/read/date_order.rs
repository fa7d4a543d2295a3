//! The order of day, month and year in the dates of a file: settled by any date that allows only one order, and by the
//! order of the rows.

use std::cmp::Ordering;

use super::cell::{Cell, Flow, Row, RowSink, Table};
use super::dates::{self, DateNumbers, DateOrder, DateText};
use super::header::{Header, TimeColumns};
use super::time_text::split_date;
use crate::error::MarketError;

/// The order of the dates of a file; `None` if they leave it open or have one reading anyway. A file whose rows are sorted in
/// no order of its dates is settled only by a date that has one reading.
pub(super) fn find(table: &impl Table, header: &Header) -> Result<Option<DateOrder>, MarketError> {
    let mut search = Search { header, candidates: None, last_out: None, has_dots: false };
    table.each_row(&mut search)?;
    Ok(search.found())
}

/// The orders that are still possible.
struct Search<'a> {
    header: &'a Header,
    /// `None` before the first date.
    candidates: Option<Vec<Candidate>>,
    /// The order that was excluded last. Where none is left, the rows that contradict it are reported.
    last_out: Option<DateOrder>,
    has_dots: bool,
}

struct Candidate {
    order: DateOrder,
    previous_ms: i64,
    direction: Option<Ordering>,
    /// Whether the rows are sorted if their dates are read in this order.
    is_sorted: bool,
}

impl Search<'_> {
    fn found(self) -> Option<DateOrder> {
        let candidates = self.candidates?;
        if let [only] = &candidates[..] {
            return Some(only.order);
        }
        let are_sorted = candidates.iter().any(|candidate| candidate.is_sorted);
        let left: Vec<DateOrder> = candidates
            .iter()
            .filter(|candidate| candidate.is_sorted == are_sorted)
            .map(|candidate| candidate.order)
            .collect();
        match left[..] {
            [only] => Some(only),
            [] => self.last_out,
            // No country writes the month first and separates with dots.
            _ if self.has_dots
                && left.contains(&DateOrder::DayFirst)
                && !left.contains(&DateOrder::YearFirst) =>
            {
                Some(DateOrder::DayFirst)
            }
            _ => None,
        }
    }

    fn narrow(&mut self, numbers: DateNumbers) {
        self.has_dots = numbers.has_dots;
        let candidates = self.candidates.get_or_insert_with(|| first_candidates(numbers));
        let last_out = &mut self.last_out;
        candidates.retain_mut(|candidate| {
            let stays = candidate.allows(numbers);
            if !stays {
                *last_out = Some(candidate.order);
            }
            stays
        });
    }
}

impl RowSink for Search<'_> {
    fn take(&mut self, row: &impl Row) -> Result<Flow, MarketError> {
        let idx = match self.header.time {
            TimeColumns::One(idx) => idx,
            TimeColumns::DateAndClock { date, .. } => date,
        };
        if idx >= row.n_cells() {
            return Ok(Flow::Continue);
        }
        let Cell::Text(text) = row.cell(idx) else { return Ok(Flow::Continue) };
        if text.is_empty() {
            return Ok(Flow::Continue);
        }
        match dates::parse(split_date(&text).0) {
            Some(DateText::Numbers(numbers)) => self.narrow(numbers),
            // The first row with a time of another form ends the search: this file needs none.
            _ if self.candidates.is_none() => return Ok(Flow::Stop),
            _ => {}
        }
        let is_settled = self.candidates.as_ref().is_some_and(|candidates| candidates.len() <= 1);
        Ok(if is_settled { Flow::Stop } else { Flow::Continue })
    }
}

fn first_candidates(numbers: DateNumbers) -> Vec<Candidate> {
    let orders = [DateOrder::DayFirst, DateOrder::MonthFirst, DateOrder::YearFirst];
    let possible = orders
        .into_iter()
        .filter(|order| !numbers.ends_with_year || *order != DateOrder::YearFirst);
    let candidate = |order| Candidate { order, previous_ms: 0, direction: None, is_sorted: true };
    let mut candidates: Vec<Candidate> = possible.map(candidate).collect();
    for candidate in &mut candidates {
        candidate.previous_ms = numbers.in_order(candidate.order).unwrap_or_default();
    }
    candidates
}

impl Candidate {
    /// Whether the numbers are a date in this order. Notes if they do not follow the dates before in one direction.
    fn allows(&mut self, numbers: DateNumbers) -> bool {
        let Some(ms) = numbers.in_order(self.order) else { return false };
        let direction = ms.cmp(&self.previous_ms);
        self.previous_ms = ms;
        if direction != Ordering::Equal {
            self.is_sorted &= *self.direction.get_or_insert(direction) == direction;
        }
        true
    }
}
