//! Columns of rows without names, found by their contents: a time, then four prices of which one is never below and one
//! never above the others, then the volume.

use super::cell::Cell;
use super::clock;
use super::dates::DateOrder;
use super::number;
use super::options::DecimalMark;
use super::survey::{self, Survey};
use super::time_text::TimeReader;

/// The name of a column that is not needed.
const IGNORED: &str = "_";
/// Rows in which a high lies above the low, needed for a guess.
const MIN_MOVING_ROWS: usize = 2;

/// The names of all columns.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Guess {
    pub(super) names: Vec<String>,
    /// Whether the contents allow no other reading.
    pub(super) is_certain: bool,
}

impl Guess {
    /// The guess with the volume in the first column whose name in the file speaks of one, if there is such a column.
    pub(super) fn with_volume_named(mut self, names: &[String]) -> Self {
        let is_volume = |name: &String| name.to_ascii_lowercase().contains("vol");
        let found = names.iter().position(is_volume);
        let Some(found) =
            found.filter(|idx| self.names.get(*idx).is_some_and(|name| name == IGNORED))
        else {
            return self;
        };
        for name in &mut self.names {
            if name == "volume" {
                IGNORED.clone_into(name);
            }
        }
        "volume".clone_into(&mut self.names[found]);
        self
    }
}

/// Names for the columns of the first rows of a file.
pub(super) fn guess(survey: &Survey) -> Option<Guess> {
    let n_fields = survey.n_fields();
    let rows: Vec<&Vec<Cell<'static>>> =
        survey.rows.iter().filter(|row| row.len() == n_fields).collect();
    let table = Columns { survey, rows };
    let first = (0..n_fields).find(|idx| survey.is_time(*idx))?;
    let mut names: Vec<&str> = vec![IGNORED; n_fields];
    let has_clock = first + 1 < n_fields && table.is_clock(first + 1);
    let n_times = if has_clock { 2 } else { 1 };
    if let Some(named) = (0..first).find(|idx| table.is_text(*idx)) {
        names[named] = "symbol";
    }
    names[first] = if has_clock { "date" } else { "time" };
    if has_clock {
        names[first + 1] = "time";
    }
    let start = first + n_times;
    let prices = table.prices(start)?;
    for (idx, name) in prices.names.into_iter().enumerate() {
        names[start + idx] = name;
    }
    let mut is_certain = prices.is_certain;
    let next = start + 4;
    if next < n_fields {
        match table.numbers(next) {
            Some(volumes)
                if volumes.iter().all(|volume| *volume >= 0.0) && !prices.enclose(&volumes) =>
            {
                names[next] = "volume";
            }
            // Another price, such as the average: the volume may stand anywhere.
            _ => is_certain = false,
        }
    }
    Some(Guess { names: names.into_iter().map(str::to_owned).collect(), is_certain })
}

struct Columns<'a> {
    survey: &'a Survey,
    rows: Vec<&'a Vec<Cell<'static>>>,
}

struct Prices {
    names: [&'static str; 4],
    is_certain: bool,
    lows: Vec<f64>,
    highs: Vec<f64>,
}

impl Prices {
    /// Whether every value lies between the low and the high of its row.
    fn enclose(&self, values: &[f64]) -> bool {
        let limits = self.lows.iter().zip(&self.highs);
        limits.zip(values).all(|((low, high), value)| (*low..=*high).contains(value))
    }
}

impl Columns<'_> {
    fn is_clock(&self, column: usize) -> bool {
        let is_clock = |row: &&Vec<Cell>| match &row[column] {
            Cell::Text(text) => {
                clock::parse(text).is_some()
                    || text.len() >= 4 && clock::parse_compact(text).is_some()
            }
            _ => false,
        };
        !self.survey.is_time(column) && self.rows.iter().all(is_clock)
    }

    /// Whether no value of a column is a number.
    fn is_text(&self, column: usize) -> bool {
        self.rows
            .iter()
            .all(|row| matches!(&row[column], Cell::Text(text) if !survey::is_value(text)))
    }

    /// The numbers of a column; `None` if one is missing or not a number.
    fn numbers(&self, column: usize) -> Option<Vec<f64>> {
        let read = |decimal| {
            let number = |row: &&Vec<Cell>| match row.get(column)? {
                Cell::Text(text) => number::parse(text, decimal),
                Cell::Number(number) => Some(*number),
                Cell::Time(_) | Cell::Null => None,
            };
            self.rows.iter().map(number).collect::<Option<Vec<f64>>>()
        };
        read(DecimalMark::Dot).or_else(|| read(DecimalMark::Comma))
    }

    /// The four prices from a column on.
    fn prices(&self, start: usize) -> Option<Prices> {
        let columns: Vec<Vec<f64>> =
            (start..start + 4).map(|idx| self.numbers(idx)).collect::<Option<_>>()?;
        if columns.iter().flatten().any(|price| *price <= 0.0) {
            return None;
        }
        let is_extreme = |idx: usize, is_beyond: fn(f64, f64) -> bool| {
            let beats = |other: &Vec<f64>| {
                columns[idx].iter().zip(other).all(|(one, other)| is_beyond(*one, *other))
            };
            columns.iter().all(beats)
        };
        let only = |is_beyond: fn(f64, f64) -> bool| {
            let found: Vec<usize> = (0..4).filter(|idx| is_extreme(*idx, is_beyond)).collect();
            if let [only] = found[..] { Some(only) } else { None }
        };
        let (high, low) = (only(|one, other| one >= other)?, only(|one, other| one <= other)?);
        let rest: Vec<usize> = (0..4).filter(|idx| *idx != high && *idx != low).collect();
        let [first, second] = rest[..] else { return None };
        let is_newest_first = self.is_newest_first();
        let as_usual = distance(&columns[first], &columns[second], is_newest_first);
        let swapped = distance(&columns[second], &columns[first], is_newest_first);
        let (open, close) = if swapped < as_usual { (second, first) } else { (first, second) };
        let mut names = [""; 4];
        for (idx, name) in [(open, "open"), (high, "high"), (low, "low"), (close, "close")] {
            names[idx] = name;
        }
        let n_moving =
            columns[high].iter().zip(&columns[low]).filter(|(high, low)| high > low).count();
        Some(Prices {
            names,
            is_certain: n_moving >= MIN_MOVING_ROWS && as_usual.total_cmp(&swapped).is_ne(),
            lows: columns[low].clone(),
            highs: columns[high].clone(),
        })
    }

    fn is_newest_first(&self) -> bool {
        let times = |order| {
            let mut times = TimeReader::in_order(order);
            let column = (0..self.survey.n_fields()).find(|idx| self.survey.is_time(*idx))?;
            let mut time = |row: &&Vec<Cell>| match &row[column] {
                Cell::Text(text) => times.text(text).ok(),
                Cell::Number(number) => times.number(*number).ok(),
                _ => None,
            };
            Some((time(self.rows.first()?)?.ms, time(self.rows.last()?)?.ms))
        };
        let orders = [DateOrder::DayFirst, DateOrder::MonthFirst, DateOrder::YearFirst];
        orders.into_iter().find_map(times).is_some_and(|(first, last)| first > last)
    }
}

/// The sum of the distances between each close and the next open.
fn distance(opens: &[f64], closes: &[f64], is_newest_first: bool) -> f64 {
    let distance = |idx: usize| {
        let (next, before) = if is_newest_first { (idx, idx + 1) } else { (idx + 1, idx) };
        (opens[next] - closes[before]).abs()
    };
    (0..opens.len().saturating_sub(1)).map(distance).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[&str]) -> Option<(String, bool)> {
        let cells =
            |row: &&str| row.split(',').map(|text| Cell::Text(text.to_owned().into())).collect();
        let found = guess(&Survey { rows: rows.iter().map(cells).collect() })?;
        Some((found.names.join(","), found.is_certain))
    }

    fn certain(names: &str) -> (String, bool) {
        (names.to_owned(), true)
    }

    #[test]
    fn prices_are_told_by_their_order_in_each_row() {
        let usual = [
            "20240101 00:00,10,14,9,12,7",
            "20240101 01:00,12,13,10,11,5",
            "20240101 02:00,11,15,11,14,0",
        ];
        assert_eq!(of(&usual), Some(certain("time,open,high,low,close,volume")));
        let coinbase =
            ["1704067200,9,14,10,12,7", "1704070800,10,13,12,11,5", "1704074400,11,15,11,14,0"];
        assert_eq!(of(&coinbase), Some(certain("time,low,high,open,close,volume")));
        let close_first =
            ["2024-01-01,12,10,14,9", "2024-01-02,11,12,13,10", "2024-01-03,14,11,15,11"];
        assert_eq!(of(&close_first), Some(certain("time,close,open,high,low")));
        let newest_first =
            ["2024-01-03,11,15,11,14", "2024-01-02,12,13,10,11", "2024-01-01,10,14,9,12"];
        assert_eq!(of(&newest_first), Some(certain("time,open,high,low,close")));
    }

    #[test]
    fn date_clock_and_instrument_may_come_first() {
        let rows = [
            "EURUSD,2024.01.01,00:00,10,14,9,12,7,1",
            "EURUSD,2024.01.01,01:00,12,13,10,11,5,1",
            "EURUSD,2024.01.01,02:00,11,15,11,14,0,1",
        ];
        assert_eq!(of(&rows), Some(certain("symbol,date,time,open,high,low,close,volume,_")));
    }

    #[test]
    fn what_allows_another_reading_is_not_certain() {
        // The column behind the prices may be their average.
        let average = [
            "1704067200,10,14,9,12,11,7",
            "1704070800,12,13,10,11,11.5,5",
            "1704074400,11,15,11,14,12,0",
        ];
        assert_eq!(of(&average), Some(("time,open,high,low,close,_,_".to_owned(), false)));
        assert_eq!(of(&["1704067200,10,14,9,12"]).map(|(_, is_certain)| is_certain), Some(false));
        assert_eq!(of(&["1704067200,1,1,1,1", "1704070800,1,1,1,1"]), None);
        assert_eq!(of(&["a,b,c,d,e"]), None);
    }
}
