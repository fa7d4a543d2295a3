//! The header: the meaning of each column.

use ::csv::ReaderBuilder;

use super::cell::Row;
use super::options::{NO_VOLUME, ReadOptions};
use super::text::first_line;
use crate::error::{FieldLocation, MarketError};

/// The known names of columns, for error messages.
const KNOWN: &str = "timestamp, time, date, datetime, open time, unix; \
    open, high, low, close (or o, h, l, c); volume, vol, v";

/// Meanings of columns by name, in lower case.
const TABLE: [(&str, Meaning); 24] = [
    ("timestamp", Meaning::Time),
    ("datetime", Meaning::Time),
    ("date time", Meaning::Time),
    ("open time", Meaning::Time),
    ("unix", Meaning::Time),
    ("mts", Meaning::Time),
    ("gmt time", Meaning::Time),
    ("date", Meaning::Date),
    ("time", Meaning::Clock),
    ("open", Meaning::Open),
    ("o", Meaning::Open),
    ("high", Meaning::High),
    ("h", Meaning::High),
    ("low", Meaning::Low),
    ("l", Meaning::Low),
    ("close", Meaning::Close),
    ("c", Meaning::Close),
    ("volume", Meaning::Volume),
    ("vol", Meaning::Volume),
    ("v", Meaning::Volume),
    ("tickvol", Meaning::Volume),
    ("tick volume", Meaning::Volume),
    ("real volume", Meaning::Volume),
    ("tickqty", Meaning::Volume),
];

/// Beginning of a volume column that names its unit, such as `Volume BTC`. Used where no plain volume column exists.
const QUALIFIED_VOLUME: &str = "volume ";
/// Separators between the name of an instrument and of a column, as in `BTCUSDT_open`.
const PREFIX_ENDS: [char; 4] = [' ', '_', '.', ':'];

/// Names of columns with the instrument, which must be equal in every row.
const INSTRUMENT_NAMES: [&str; 7] =
    ["symbol", "ticker", "instrument", "pair", "asset", "tic", "act symbol"];

/// A column whose meaning was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecognisedColumn {
    /// Its meaning: `time`, `date`, `open`, `high`, `low`, `close` or `volume`.
    pub meaning: &'static str,
    /// Its name in the file.
    pub name: String,
}

/// The columns that make up the time.
#[derive(Debug, Clone, Copy)]
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Time,
    Date,
    Clock,
    Open,
    High,
    Low,
    Close,
    Volume,
}

impl Meaning {
    fn of(name: &str) -> Option<Self> {
        let name = normal(name);
        // Alpha Vantage numbers its columns: `1. open`.
        let name = match name.split_once(". ") {
            Some((number, rest)) if number.bytes().all(|byte| byte.is_ascii_digit()) => rest,
            _ => name.as_str(),
        };
        TABLE.iter().find(|(known, _)| *known == name).map(|(_, meaning)| *meaning)
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Time | Self::Clock => "time",
            Self::Date => "date",
            Self::Open => "open",
            Self::High => "high",
            Self::Low => "low",
            Self::Close => "close",
            Self::Volume => "volume",
        }
    }
}

impl Header {
    /// The location of a field, for error messages.
    pub(super) fn location(&self, file: &str, row: &impl Row, column: usize) -> FieldLocation {
        let name = self.names[column].clone();
        FieldLocation { file: file.to_owned(), row: row.location(), column: name }
    }

    /// Whether `MetaTrader` wrote the file. Its times are local to the broker's server.
    pub(super) fn is_metatrader(&self) -> bool {
        let has = |name: &str| self.names.iter().any(|found| found.eq_ignore_ascii_case(name));
        has("<date>") && has("<tickvol>")
    }

    /// Whether times without a zone are probably local ones, so that the user must name the zone.
    pub(super) fn has_local_times(&self) -> bool {
        let is_bracketed = |idx: usize| self.names[idx].starts_with('<');
        matches!(self.time, TimeColumns::DateAndClock { clock, .. } if is_bracketed(clock))
    }

    /// Reads the first line that is not blank.
    pub(super) fn parse(
        text: &str,
        file: &str,
        options: &ReadOptions,
    ) -> Result<Self, MarketError> {
        let line = first_line(text);
        Self::of_names(names(line, delimiter_of(line)), line, file, options)
    }

    /// Finds the meaning of columns; `line` represents them in error messages.
    pub(super) fn of_names(
        names: Vec<String>,
        line: &str,
        file: &str,
        options: &ReadOptions,
    ) -> Result<Self, MarketError> {
        let bare = without_prefix(&names);
        let search = ColumnSearch { file, line, names: &names, bare: &bare };
        // A table of two markets, such as bid and ask: only the user knows which one is meant.
        let mut opens = (0..names.len()).filter(|idx| begins_a_market(&names, &names[*idx]));
        if let (Some(first), Some(second)) = (opens.next(), opens.next()) {
            return Err(search.repeated(Meaning::Open, first, second));
        }
        let prices = [Meaning::Open, Meaning::High, Meaning::Low, Meaning::Close];
        let [open, high, low, close] = prices.map(|meaning| search.one(meaning));
        let (time, open, high, low, close) = (search.time()?, open?, high?, low?, close?);
        let (Some(time), Some(open), Some(high), Some(low), Some(close)) =
            (time, open, high, low, close)
        else {
            return Err(search.missing(time.is_none(), &[open, high, low, close]));
        };
        let volume = search.volume(options)?;
        let columns = search.columns(volume);
        let instrument =
            names.iter().position(|name| INSTRUMENT_NAMES.contains(&normal(name).as_str()));
        Ok(Self { names, columns, time, open, high, low, close, volume, instrument })
    }
}

/// The search for the meaning of each name in a header.
struct ColumnSearch<'a> {
    file: &'a str,
    line: &'a str,
    names: &'a [String],
    /// The names without the name of the instrument.
    bare: &'a [String],
}

impl ColumnSearch<'_> {
    /// The column with a meaning; `None` without one, an error for several.
    fn one(&self, meaning: Meaning) -> Result<Option<usize>, MarketError> {
        let mut found =
            (0..self.bare.len()).filter(|idx| Meaning::of(&self.bare[*idx]) == Some(meaning));
        let Some(first) = found.next() else {
            return Ok(None);
        };
        match found.next() {
            Some(second) => Err(self.repeated(meaning, first, second)),
            None => Ok(Some(first)),
        }
    }

    /// The volume: the requested column, else the only plain volume column, else the only one that names its unit. Several
    /// candidates are an error.
    fn volume(&self, options: &ReadOptions) -> Result<Option<usize>, MarketError> {
        if let Some(asked) = &options.volume_column {
            if asked == NO_VOLUME {
                return Ok(None);
            }
            let found = self.names.iter().position(|name| name.eq_ignore_ascii_case(asked));
            return found.map(Some).ok_or_else(|| MarketError::NoSuchVolume {
                file: self.file.to_owned(),
                asked: asked.clone(),
                found: self.names.join(", "),
            });
        }
        let plain: Vec<usize> = (0..self.bare.len())
            .filter(|idx| Meaning::of(&self.bare[*idx]) == Some(Meaning::Volume))
            .collect();
        let is_qualified = |name: &String| name.to_ascii_lowercase().starts_with(QUALIFIED_VOLUME);
        let candidates: Vec<usize> = match plain.as_slice() {
            [] => (0..self.bare.len()).filter(|idx| is_qualified(&self.bare[*idx])).collect(),
            _ => plain,
        };
        match candidates[..] {
            [] => Ok(None),
            [only] => Ok(Some(only)),
            [first, second, ..] => Err(MarketError::SeveralVolumes {
                file: self.file.to_owned(),
                first: self.names[first].clone(),
                second: self.names[second].clone(),
            }),
        }
    }

    /// The time: a `date` and a `time` column together, or exactly one column. Where a `unix` column stands beside a `date`
    /// column, the epoch number is used, because it is unambiguous.
    fn time(&self) -> Result<Option<TimeColumns>, MarketError> {
        let [time, date, clock] =
            [Meaning::Time, Meaning::Date, Meaning::Clock].map(|meaning| self.one(meaning));
        if let (Ok(Some(time)), Ok(Some(_)), Ok(None)) = (&time, &date, &clock)
            && self.bare[*time].eq_ignore_ascii_case("unix")
        {
            return Ok(Some(TimeColumns::One(*time)));
        }
        match (time?, date?, clock?) {
            (Some(time), Some(other), _) | (Some(time), None, Some(other)) => {
                Err(self.repeated(Meaning::Time, time.min(other), time.max(other)))
            }
            (None, Some(date), Some(clock)) => Ok(Some(TimeColumns::DateAndClock { date, clock })),
            (time, date, clock) => Ok(time.or(date).or(clock).map(TimeColumns::One)),
        }
    }

    fn repeated(&self, meaning: Meaning, first: usize, second: usize) -> MarketError {
        MarketError::RepeatedColumn {
            file: self.file.to_owned(),
            meaning: meaning.as_str(),
            first: self.names[first].clone(),
            second: self.names[second].clone(),
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
            file: self.file.to_owned(),
            found: shortened(self.line),
            missing: missing.join(", "),
            known: KNOWN,
        }
    }

    fn columns(&self, volume: Option<usize>) -> Vec<RecognisedColumn> {
        let column = |idx: usize| {
            let meaning = match Meaning::of(&self.bare[idx]) {
                _ if volume == Some(idx) => Meaning::Volume,
                Some(Meaning::Volume) | None => return None,
                Some(meaning) => meaning,
            };
            Some(RecognisedColumn { meaning: meaning.as_str(), name: self.names[idx].clone() })
        };
        (0..self.names.len()).filter_map(column).collect()
    }
}

/// Whether a line names a time column and all four price columns.
pub(super) fn names_all(line: &str) -> bool {
    let names = names(line, delimiter_of(line));
    let meanings: Vec<Meaning> =
        without_prefix(&names).iter().filter_map(|name| Meaning::of(name)).collect();
    let has = |meaning| meanings.contains(&meaning);
    let has_time = [Meaning::Time, Meaning::Date, Meaning::Clock].into_iter().any(has);
    has_time && [Meaning::Open, Meaning::High, Meaning::Low, Meaning::Close].into_iter().all(has)
}

/// The part before `open` in the name of a column, if it ends with a separator.
fn prefix_of_open(name: &str) -> Option<&str> {
    let length = name.len().checked_sub("open".len()).filter(|length| *length > 0)?;
    let (prefix, last) = name.split_at_checked(length)?;
    (last.eq_ignore_ascii_case("open") && prefix.ends_with(PREFIX_ENDS)).then_some(prefix)
}

/// Whether a name is a prefixed `open` with the other three prices under the same prefix.
fn begins_a_market(names: &[String], name: &str) -> bool {
    let Some(prefix) = prefix_of_open(name) else { return false };
    let has = |price: &str| {
        let rest = |name: &String| name.strip_prefix(prefix).map(str::to_ascii_lowercase);
        names.iter().any(|name| rest(name).as_deref() == Some(price))
    };
    ["high", "low", "close"].into_iter().all(has)
}

/// The names without the prefix that all four prices have in common, such as `AAPL ` or `BTCUSDT_`.
fn without_prefix(names: &[String]) -> Vec<String> {
    let whole = names.iter().find(|name| begins_a_market(names, name));
    let prefix = whole.and_then(|name| prefix_of_open(name));
    let bare = |name: &String| {
        let rest = prefix.and_then(|prefix| name.strip_prefix(prefix));
        rest.unwrap_or(name).to_owned()
    };
    names.iter().map(bare).collect()
}

/// A name as the tables spell it: lower case, without angle brackets, with spaces for underscores.
fn normal(name: &str) -> String {
    name.trim_matches(['<', '>']).to_ascii_lowercase().replace('_', " ")
}

/// The most frequent delimiter of a header line; a comma if it has none.
pub(super) fn delimiter_of(line: &str) -> u8 {
    let count = |delimiter: &u8| line.bytes().filter(|byte| byte == delimiter).count();
    // `max_by_key` returns the last of equal candidates, so the comma stands last.
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

fn names(line: &str, delimiter: u8) -> Vec<String> {
    let mut reader =
        ReaderBuilder::new().delimiter(delimiter).has_headers(false).from_reader(line.as_bytes());
    let record = reader.records().next().and_then(Result::ok).unwrap_or_default();
    record.iter().map(|name| name.trim().to_owned()).collect()
}

/// At most 120 characters of a line, for a message.
fn shortened(line: &str) -> String {
    const MAX_CHARS: usize = 120;
    match line.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Header, String> {
        Header::parse(line, "a.csv", &ReadOptions::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn columns_are_known_in_any_order_and_case() {
        let header = parse("Volume,CLOSE,foo,low,High,\"Open\",TimeStamp").unwrap();
        assert_eq!((header.open, header.high, header.low, header.close), (5, 4, 3, 1));
        assert_eq!(header.volume, Some(0));
        assert!(matches!(header.time, TimeColumns::One(6)));
        assert_eq!(header.columns.len(), 6);
        assert_eq!(
            header.columns[0],
            RecognisedColumn { meaning: "volume", name: "Volume".to_owned() }
        );
    }

    #[test]
    fn delimiter_is_the_one_the_header_has_most_of() {
        assert_eq!(delimiter_of("time;o;h;l;c;v"), b';');
        assert_eq!(delimiter_of("time\to\th\tl\tc"), b'\t');
        assert_eq!(delimiter_of("time,o,h,l,c"), b',');
    }

    #[test]
    fn date_and_time_columns_make_the_time_together() {
        let header = parse("<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<VOL>").unwrap();
        assert!(matches!(header.time, TimeColumns::DateAndClock { date: 0, clock: 1 }));
    }

    #[test]
    fn two_columns_of_one_meaning_are_refused() {
        assert_eq!(
            parse("time,open,high,low,close,vol,volume").unwrap_err(),
            "`a.csv` has more than one column for volume (`vol`, `volume`): choose one with \
             `--volume-column`, or `--volume-column none`"
        );
        assert_eq!(
            parse("timestamp,date,open,high,low,close").unwrap_err(),
            "`a.csv` has two columns for time, `timestamp` and `date`: rename or remove one"
        );
        assert_eq!(
            parse("time,bid_open,bid_high,bid_low,bid_close,ask_open,ask_high,ask_low,ask_close")
                .unwrap_err(),
            "`a.csv` has two columns for open, `bid_open` and `ask_open`: rename or remove one"
        );
        assert!(parse("time,timestamp,open,high,low,close").is_err());
        assert!(parse("time,time,open,high,low,close").is_err());
    }

    #[test]
    fn column_that_names_the_instrument_is_known_in_brackets_too() {
        let header =
            parse("<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>").unwrap();
        assert_eq!(header.instrument, Some(0));
        assert_eq!(parse("date,open,high,low,close,act_symbol").unwrap().instrument, Some(5));
        assert_eq!(parse("date,open,high,low,close,note").unwrap().instrument, None);
        // One market, and a column of something else.
        assert_eq!(parse("date,is_open,A_open,A_high,A_low,A_close").unwrap().open, 2);
    }

    #[test]
    fn missing_header_shows_the_line_and_the_known_names() {
        assert_eq!(
            parse("2017-01-02 07:00,1.05,1.06,1.04,1.05,0").unwrap_err(),
            "`a.csv` begins with `2017-01-02 07:00,1.05,1.06,1.04,1.05,0`, which names no column \
             for time, open, high, low, close: the first line must be a header, or `--columns` \
             must give one; known names are timestamp, time, date, datetime, open time, unix; open, high, low, close (or o, h, \
             l, c); volume, vol, v"
        );
        let error = parse("time,open,high,close").unwrap_err();
        assert!(error.contains("names no column for low:"), "{error}");
    }
}
