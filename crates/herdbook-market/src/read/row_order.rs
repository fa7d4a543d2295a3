//! The order of the rows of a file. Rows that are out of order are sorted by time, unless that could hide a wrong reading of
//! the times.

use super::open_times::RowOrder;
use crate::bars::Bar;
use crate::error::MarketError;
use crate::location::FieldLocation;
use crate::time::Utc;

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// A bit for each hour from 1 to 12.
const HALF_DAY: u32 = 0b1_1111_1111_1110;

/// The steps from each row to the next one, by their direction.
#[derive(Debug, Default)]
pub(super) struct Steps {
    forward: Direction,
    back: Direction,
    /// A bit for each hour of the clock that a time without a zone had.
    hours: u32,
}

/// The steps in one direction.
#[derive(Debug, Default)]
struct Direction {
    n: usize,
    /// How many of them are between two times of one day of which the later one is in the hour after noon.
    n_at_noon: usize,
    first: Option<Step>,
}

/// The step to a row.
#[derive(Debug)]
struct Step {
    location: FieldLocation,
    value: String,
    previous_ms: i64,
}

impl Steps {
    /// Adds the hour of a time as the file writes it.
    pub(super) fn add_hour(&mut self, local_ms: i64) {
        self.hours |= 1 << (local_ms.rem_euclid(DAY_MS) / HOUR_MS);
    }

    /// Adds the step to a row. The times are the opens of its bar and of the one above, in ms UTC and as the file writes them.
    pub(super) fn add(
        &mut self,
        order: RowOrder,
        previous_ms: i64,
        local_ms: [i64; 2],
        at: impl FnOnce() -> (FieldLocation, String),
    ) {
        let direction = match order {
            RowOrder::OldestFirst => &mut self.forward,
            RowOrder::NewestFirst => &mut self.back,
        };
        direction.n += 1;
        let [previous, this] = local_ms;
        let is_one_day = previous.div_euclid(DAY_MS) == this.div_euclid(DAY_MS);
        let later_hour = previous.max(this).rem_euclid(DAY_MS) / HOUR_MS;
        direction.n_at_noon += usize::from(is_one_day && later_hour == 12);
        if direction.first.is_none() {
            let (location, value) = at();
            direction.first = Some(Step { location, value, previous_ms });
        }
    }

    /// The order of most rows; `None` where all have one time.
    pub(super) fn order(&self) -> Option<RowOrder> {
        match (self.forward.n, self.back.n) {
            (0, 0) => None,
            (forward, back) if forward >= back => Some(RowOrder::OldestFirst),
            _ => Some(RowOrder::NewestFirst),
        }
    }

    /// Brings bars into the order of time. Returns a remark for the user if they were not, and the number of rows that repeated
    /// another one exactly.
    ///
    /// # Errors
    /// [`MarketError::Unsorted`] if the order of the rows decided how times were read, [`MarketError::HalfDayClock`],
    /// [`MarketError::ConflictingTimes`].
    pub(super) fn sort(
        self,
        bars: &mut Vec<Bar>,
        are_times_by_order: bool,
    ) -> Result<(Option<String>, usize), MarketError> {
        let is_reversed = self.order() == Some(RowOrder::NewestFirst);
        let (turned, word) =
            if is_reversed { (self.forward, "after") } else { (self.back, "before") };
        if is_reversed {
            bars.reverse();
        }
        let Some(Step { location, value, previous_ms }) = turned.first else {
            let remark = is_reversed.then(|| "newest first: the rows were reversed".to_owned());
            return Ok((remark, 0));
        };
        if are_times_by_order {
            let previous = Utc(previous_ms);
            return Err(MarketError::Unsorted { location, value, turned: word, previous });
        }
        if turned.n_at_noon > 0 && self.hours & !HALF_DAY == 0 {
            return Err(MarketError::HalfDayClock { location, value });
        }
        bars.sort_by_key(|bar| bar.open_time_ms);
        let n_before = bars.len();
        bars.dedup();
        let mut conflicts =
            bars.windows(2).filter(|pair| pair[0].open_time_ms == pair[1].open_time_ms);
        if let Some(first) = conflicts.next() {
            let (file, first) = (location.file, Utc(first[0].open_time_ms));
            return Err(MarketError::ConflictingTimes { file, n: 1 + conflicts.count(), first });
        }
        let rows = if turned.n == 1 { "1 row was" } else { &format!("{} rows were", turned.n) };
        let remark = format!(
            "the rows were sorted by time: {rows} {word} the row above, first in {}: `{value}`",
            location.row
        );
        Ok((Some(remark), n_before - bars.len()))
    }
}
