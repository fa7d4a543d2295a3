//! The header: the meaning of each column.

use super::cell::Row;
use super::market_names::{Affixes, markets, without};
use super::options::{BarStamp, NO_VOLUME, ReadOptions};
use super::survey::{SURVEY_ROWS, Survey};
use super::vocabulary::{Rank, is_adjusted_close, is_instrument, is_local_time, meaning};
use super::words::Meaning;
use crate::advice::quoted;
use crate::error::MarketError;
use crate::location::FieldLocation;

/// The known names of columns, for error messages.
const KNOWN: &str = "timestamp, time, date, datetime, open time, unix; open, high, low, close (or o, h, l, c); volume, vol, v";
/// Names of a column that has none: the index of a pandas frame, and row names of R.
const UNNAMED: [&str; 4] = ["", "unnamed: 0", "index", "__index_level_0__"];

/// A column whose meaning was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecognisedColumn {
    /// Its meaning: `time`, `date`, `open`, `high`, `low`, `close` or `volume`.
    pub meaning: &'static str,
    /// Its name in the file.
    pub name: String,
}

/// The columns that make up the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TimeColumns {
    One(usize),
    DateAndClock { date: usize, clock: usize },
}

/// The columns of a file.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) names: Vec<String>,
    pub(super) columns: Vec<RecognisedColumn>,
    pub(super) time: TimeColumns,
    pub(super) open: usize,
    pub(super) high: usize,
    pub(super) low: usize,
    pub(super) close: usize,
    pub(super) volume: Option<usize>,
    /// The column that names the instrument, if there is one.
    pub(super) instrument: Option<usize>,
    /// The end of a bar at which it is stamped, if the name of the time column says so.
    pub(super) stamped: Option<BarStamp>,
    /// Remarks for the user on the columns.
    pub(super) remarks: Vec<String>,
}

/// The header of a file before the meaning of its names is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeaderText<'a> {
    pub(super) file: &'a str,
    /// The header for error messages.
    pub(super) line: &'a str,
    pub(super) names: &'a [String],
}

impl Header {
    /// Finds the meaning of columns by their names, and by the first rows where the names leave it open.
    pub(super) fn of_names(
        text: HeaderText<'_>,
        options: &ReadOptions,
        survey: &Survey,
    ) -> Result<Self, MarketError> {
        let markets = markets(text.names);
        // A table of two markets, such as bid and ask: only the user knows which one is meant.
        if let [first, second, ..] = markets[..] {
            return Err(of_two_markets(text, first, second));
        }
        let bare = markets
            .first()
            .map_or_else(|| text.names.to_vec(), |market| without(*market, text.names));
        let search = ColumnSearch { text, bare: &bare, survey };
        let prices = [Meaning::Open, Meaning::High, Meaning::Low, Meaning::Close];
        let [open, high, low, close] = prices.map(|meaning| search.one(meaning));
        let (time, open, high, low, close) = (search.time()?, open?, high?, low?, close?);
        let (Some((time, stamped)), Some(open), Some(high), Some(low), Some(close)) =
            (time, open, high, low, close)
        else {
            return Err(search.missing(time.is_none(), &[open, high, low, close]));
        };
        let mut remarks = Vec::new();
        let volume = search.volume(options, &mut remarks)?;
        let mut header = Self {
            names: text.names.to_vec(),
            columns: Vec::new(),
            time,
            open,
            high,
            low,
            close,
            volume,
            instrument: text.names.iter().position(|name| is_instrument(name)),
            stamped,
            remarks,
        };
        header.columns = header.recognised();
        header.add_remarks();
        Ok(header)
    }

    /// The columns of open, high, low and close.
    pub(super) const fn prices(&self) -> [usize; 4] {
        [self.open, self.high, self.low, self.close]
    }

    /// The location of a field, for error messages.
    pub(super) fn location(&self, file: &str, row: &impl Row, column: usize) -> FieldLocation {
        let name = self.names[column].clone();
        FieldLocation { file: file.to_owned(), row: row.location(), column: name }
    }

    /// Whether times without a zone are probably local ones, so that the user must name the zone.
    pub(super) fn has_local_times(&self) -> bool {
        match self.time {
            TimeColumns::One(idx) => is_local_time(&self.names[idx]),
            TimeColumns::DateAndClock { clock, .. } => self.names[clock].starts_with('<'),
        }
    }

    fn recognised(&self) -> Vec<RecognisedColumn> {
        let mut found = match self.time {
            TimeColumns::One(idx) => {
                vec![(
                    idx,
                    if meaning(&self.names[idx]).is_some_and(|(it, _)| it == Meaning::Date) {
                        "date"
                    } else {
                        "time"
                    },
                )]
            }
            TimeColumns::DateAndClock { date, clock } => vec![(date, "date"), (clock, "time")],
        };
        found.extend(self.prices().into_iter().zip(["open", "high", "low", "close"]));
        found.extend(self.volume.map(|idx| (idx, "volume")));
        found.sort_unstable();
        let column = |(idx, meaning): (usize, &'static str)| RecognisedColumn {
            meaning,
            name: self.names[idx].clone(),
        };
        found.into_iter().map(column).collect()
    }

    fn add_remarks(&mut self) {
        let has = |name: &str| self.names.iter().any(|found| found.eq_ignore_ascii_case(name));
        if has("<date>") && has("<tickvol>") {
            self.remarks.push("MetaTrader export".to_owned());
        }
        if self.names.iter().any(|name| is_adjusted_close(name)) {
            self.remarks.push(
                "`Adj Close` is not used: prices are those of `Close`, not adjusted for dividends"
                    .to_owned(),
            );
        }
    }
}

/// The names that the user gives with `--columns`, in place of those of the file: a list of all, or pairs such as
/// `close=Close/Last`, or by their number from 1, such as `close=5`.
///
/// # Errors
/// [`MarketError::NoSuchColumn`] for a pair with a name that the file does not have.
pub(super) fn given_names(
    columns: &str,
    names: &[String],
    file: &str,
) -> Result<Vec<String>, MarketError> {
    if !is_by_name(columns) {
        return Ok(columns.split([',', ';', '\t']).map(|name| name.trim().to_owned()).collect());
    }
    let mut given = names.to_vec();
    for pair in columns.split([',', ';', '\t']) {
        let (wanted, name) = pair.split_once('=').unwrap_or((pair, pair));
        let (wanted, name) = (wanted.trim(), name.trim());
        let named = names.iter().position(|found| found.eq_ignore_ascii_case(name));
        let found = named.or_else(|| idx_of_number(name, names.len()));
        let idx = found.ok_or_else(|| MarketError::NoSuchColumn {
            file: file.to_owned(),
            asked: name.to_owned(),
            found: names.join(", "),
        })?;
        // Other columns with this meaning, or another column for the same moment, do not count any more.
        let is_rival = |other: &str| match (meaning(wanted), meaning(other)) {
            (Some((wanted, _)), Some((other, _))) => {
                wanted == other || is_moment(wanted) && is_moment(other)
            }
            _ => false,
        };
        for other in &mut given {
            if is_rival(other) && wanted != "date" {
                other.clear();
            }
        }
        wanted.clone_into(&mut given[idx]);
    }
    Ok(given)
}

/// The index of the column with a number, from 1.
fn idx_of_number(text: &str, n_columns: usize) -> Option<usize> {
    let number: usize = text.parse().ok()?;
    (1..=n_columns).contains(&number).then(|| number - 1)
}

/// Whether the value of `--columns` names some columns of the file, such as `close=Close/Last`.
pub(super) fn is_by_name(columns: &str) -> bool {
    columns.contains('=')
}

const fn is_moment(meaning: Meaning) -> bool {
    matches!(
        meaning,
        Meaning::OpenTime | Meaning::CloseTime | Meaning::Time | Meaning::Date | Meaning::Clock
    )
}

fn of_two_markets(text: HeaderText<'_>, first: Affixes<'_>, second: Affixes<'_>) -> MarketError {
    let opening = |columns: &str| {
        let name = columns.split(',').next().unwrap_or_default();
        name.trim_start_matches("open=").to_owned()
    };
    let columns = [first.columns(), second.columns()];
    MarketError::RepeatedColumn {
        file: text.file.to_owned(),
        meaning: "open",
        first: opening(&columns[0]),
        second: opening(&columns[1]),
        flags: columns.iter().map(|columns| format!("--columns {}", quoted(columns))).collect(),
    }
}

/// The search for the meaning of each name in a header.
struct ColumnSearch<'a> {
    text: HeaderText<'a>,
    /// The names without the name of the instrument.
    bare: &'a [String],
    survey: &'a Survey,
}

impl ColumnSearch<'_> {
    /// The columns with a meaning, as exactly as any has it.
    fn best(&self, wanted: Meaning) -> Vec<usize> {
        let ranks: Vec<(usize, Rank)> = (0..self.bare.len())
            .filter_map(|idx| {
                Some((idx, meaning(&self.bare[idx]).filter(|(found, _)| *found == wanted)?.1))
            })
            .collect();
        let best = ranks.iter().map(|(_, rank)| *rank).min();
        ranks.into_iter().filter(|(_, rank)| Some(*rank) == best).map(|(idx, _)| idx).collect()
    }

    /// The column with a meaning; `None` without one, an error for several.
    fn one(&self, wanted: Meaning) -> Result<Option<usize>, MarketError> {
        match self.best(wanted)[..] {
            [] => Ok(None),
            [only] => Ok(Some(only)),
            [first, second, ..] => Err(self.repeated(as_str(wanted), first, second)),
        }
    }

    /// The volume: the requested column, else the only plain volume column, else the only one that names its unit. Of
    /// several candidates those without any volume in the first rows do not count.
    fn volume(
        &self,
        options: &ReadOptions,
        remarks: &mut Vec<String>,
    ) -> Result<Option<usize>, MarketError> {
        let names = self.text.names;
        if let Some(asked) = &options.volume_column {
            if asked == NO_VOLUME {
                return Ok(None);
            }
            let found = names.iter().position(|name| name.eq_ignore_ascii_case(asked));
            return found.map(Some).ok_or_else(|| MarketError::NoSuchVolume {
                file: self.text.file.to_owned(),
                asked: asked.clone(),
                found: names.join(", "),
            });
        }
        let candidates = self.best(Meaning::Volume);
        let used: Vec<usize> =
            candidates.iter().copied().filter(|idx| !self.survey.is_zero(*idx)).collect();
        match (&candidates[..], &used[..]) {
            ([], _) => Ok(None),
            ([only], _) => Ok(Some(*only)),
            (_, [only]) => {
                let unused =
                    candidates.iter().find(|idx| *idx != only).map_or("", |idx| &names[*idx]);
                remarks.push(format!(
                    "the volume is `{}`; `{unused}` is 0 in the first {SURVEY_ROWS} rows",
                    names[*only]
                ));
                Ok(Some(*only))
            }
            ([first, second, ..], _) if names[*first].eq_ignore_ascii_case(&names[*second]) => {
                Err(self.repeated("volume", *first, *second))
            }
            ([first, second, ..], _) => Err(MarketError::SeveralVolumes {
                file: self.text.file.to_owned(),
                first: names[*first].clone(),
                second: names[*second].clone(),
            }),
        }
    }

    /// The time and the end of the bar that its name says: the opening time, else a `date` and a `time` column together or
    /// the only column for a time, else a column without a name that holds times, else the closing time. Of several, the
    /// only one with epoch numbers is used, because it is unambiguous.
    fn time(&self) -> Result<Option<(TimeColumns, Option<BarStamp>)>, MarketError> {
        if let Some(opening) = self.only_time(&self.best(Meaning::OpenTime))? {
            return Ok(Some((TimeColumns::One(opening), Some(BarStamp::Open))));
        }
        let [times, dates, clocks] =
            [Meaning::Time, Meaning::Date, Meaning::Clock].map(|wanted| self.best(wanted));
        if let ([], [date], [clock]) = (&times[..], &dates[..], &clocks[..])
            && !self.survey.is_epoch(*clock)
        {
            return Ok(Some((TimeColumns::DateAndClock { date: *date, clock: *clock }, None)));
        }
        let mut all = [times, dates, clocks].concat();
        all.sort_unstable();
        let unnamed = |idx: &usize| {
            UNNAMED.contains(&self.bare[*idx].to_ascii_lowercase().as_str())
                && self.survey.is_time(*idx)
        };
        let found = match self.only_time(&all)? {
            None => (0..self.bare.len()).find(unnamed),
            found => found,
        };
        if let Some(idx) = found {
            return Ok(Some((TimeColumns::One(idx), None)));
        }
        let closing = self.only_time(&self.best(Meaning::CloseTime))?;
        Ok(closing.map(|idx| (TimeColumns::One(idx), Some(BarStamp::Close))))
    }

    fn only_time(&self, columns: &[usize]) -> Result<Option<usize>, MarketError> {
        let is_epoch = |idx: &usize| {
            self.survey.is_epoch(*idx)
                || self.survey.rows.is_empty() && self.bare[*idx].eq_ignore_ascii_case("unix")
        };
        let epochs: Vec<usize> = columns.iter().copied().filter(is_epoch).collect();
        match (columns, &epochs[..]) {
            ([], _) => Ok(None),
            ([only], _) | (_, [only]) => Ok(Some(*only)),
            ([first, second, ..], _) => Err(self.repeated("time", *first, *second)),
        }
    }

    fn repeated(&self, meaning: &'static str, first: usize, second: usize) -> MarketError {
        let name = |idx: usize| self.text.names[idx].clone();
        // Where the names are equal, only the numbers tell the columns apart.
        let are_alike = name(first).eq_ignore_ascii_case(&name(second));
        let key = |idx: usize| if are_alike { (idx + 1).to_string() } else { name(idx) };
        let flag = |idx: usize| format!("--columns {}", quoted(&format!("{meaning}={}", key(idx))));
        MarketError::RepeatedColumn {
            file: self.text.file.to_owned(),
            meaning,
            first: name(first),
            second: name(second),
            flags: vec![flag(first), flag(second)],
        }
    }

    fn missing(&self, no_time: bool, prices: &[Option<usize>; 4]) -> MarketError {
        let mut missing = if no_time { vec!["time"] } else { vec![] };
        for (price, name) in prices.iter().zip(["open", "high", "low", "close"]) {
            if price.is_none() {
                missing.push(name);
            }
        }
        MarketError::MissingColumns {
            file: self.text.file.to_owned(),
            found: shortened(self.text.line),
            missing: missing.join(", "),
            known: KNOWN,
            flags: Vec::new(),
        }
    }
}

const fn as_str(meaning: Meaning) -> &'static str {
    match meaning {
        Meaning::OpenTime | Meaning::CloseTime | Meaning::Time | Meaning::Clock => "time",
        Meaning::Date => "date",
        Meaning::Open => "open",
        Meaning::High => "high",
        Meaning::Low => "low",
        Meaning::Close => "close",
        Meaning::Volume => "volume",
    }
}

/// At most 120 characters of a line, for a message.
fn shortened(line: &str) -> String {
    const MAX_CHARS: usize = 120;
    match line.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
