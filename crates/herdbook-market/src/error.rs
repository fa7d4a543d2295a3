//! Everything that can be wrong with market data, costs or windows, one variant per cause.

use std::fmt;

use crate::time::Utc;

/// A place in a data file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Name of the file, as the caller gave it.
    pub file: String,
    /// Where the row stands.
    pub spot: Spot,
    /// Name of the column, as the header spells it.
    pub column: String,
}

/// Where a row stands in a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// Line of a text; the header is line 1.
    Line(u64),
    /// Row of a table; the first one is row 1.
    Row(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}, column `{}`", self.file, self.spot, self.column)
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// Why bars, costs or windows cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of a variant says what its fields are")]
pub enum MarketError {
    /// No bytes, or blank lines only.
    #[error("`{file}` is empty: give a csv file with a header and one bar per row")]
    EmptyFile { file: String },

    /// A gzip file or zip archive that cannot be unpacked, or that unpacks to more than any file of bars.
    #[error("`{file}` cannot be unpacked: {problem}")]
    Packed { file: String, problem: String },

    /// An archive of several files, any of which may be the bars.
    #[error("`{file}` holds several files: choose one with `--member`: {members}")]
    SeveralMembers { file: String, members: String },

    /// An archive without the file asked for.
    #[error("`{file}` holds no file `{asked}` (flag `--member`): there are {members}")]
    NoSuchMember { file: String, asked: String, members: String },

    /// An archive without a file.
    #[error("`{file}` holds no file")]
    EmptyArchive { file: String },

    /// The flag for archives, and a file that is none.
    #[error("`{file}` is no zip archive: `--member` chooses a file of one")]
    NoArchive { file: String },

    /// A kind of file that is known and not read.
    #[error(
        "`{file}` is {what}, which is not read: give CSV or Parquet, such as pandas' `to_parquet` \
         or freqtrade's `convert-data --format-to parquet` writes"
    )]
    ForeignFormat { file: String, what: &'static str },

    /// A Parquet file that cannot be decoded.
    #[error("`{file}` cannot be read as Parquet: {problem}")]
    Parquet { file: String, problem: String },

    /// A column of a Parquet file whose type holds no bars.
    #[error(
        "`{file}` column `{column}` is of type {found}: give {needed}, or write the file as CSV"
    )]
    ColumnType { file: String, column: String, found: String, needed: &'static str },

    /// A JSON file that is no list of bars.
    #[error("`{file}` cannot be read as JSON: {problem}")]
    Json { file: String, problem: String },

    /// JSON rows without names.
    #[error(
        "`{file}` has rows of {n_fields} values without names: name them with `--columns`, such as \
         `--columns date,open,high,low,close,volume` for freqtrade's files"
    )]
    UnnamedColumns { file: String, n_fields: usize },

    /// NUL bytes or bytes that are no UTF-8.
    #[error("`{file}` line {line} is not text: give a csv file in UTF-8, plain or gzipped")]
    NotText { file: String, line: u64 },

    /// A header and nothing below it.
    #[error("`{file}` has a header but no bars: give a csv file with one bar per row")]
    OnlyHeader { file: String },

    /// The first line does not name the columns that are needed.
    #[error(
        "`{file}` begins with `{found}`, which names no column for {missing}: \
         the first line must be a header, or `--columns` must give one; known names are {known}"
    )]
    MissingColumns { file: String, found: String, missing: String, known: &'static str },

    /// More than one column may be the volume.
    #[error(
        "`{file}` has more than one column for volume (`{first}`, `{second}`): choose one with \
         `--volume-column`, or `--volume-column none`"
    )]
    SeveralVolumes { file: String, first: String, second: String },

    /// The column asked for is not there.
    #[error("`{file}` has no column `{asked}` (flag `--volume-column`): there are {found}")]
    NoSuchVolume { file: String, asked: String, found: String },

    /// Times of an unknown zone.
    #[error(
        "{place}: `{value}` is a time of the exporting program's own zone: say which with \
         `--bar-timezone`, such as `UTC`, `+02:00` or `Europe/Athens`"
    )]
    UnknownZone { place: Place, value: String },

    /// A local time that clocks showed twice.
    #[error(
        "{place}: `{value}` came twice in {zone}, where clocks were set back, and the rows around it \
         do not tell which one it is: export in UTC, or remove the rows of that hour"
    )]
    LocalTimeTwice { place: Place, value: String, zone: String },

    /// A local time that clocks were set past.
    #[error(
        "{place}: `{value}` never was in {zone}, where clocks were set forward: give the zone that \
         the times are really of, or export in UTC"
    )]
    NoSuchLocalTime { place: Place, value: String, zone: String },

    /// Two columns claim one meaning.
    #[error(
        "`{file}` has two columns for {meaning}, `{first}` and `{second}`: rename or remove one"
    )]
    RepeatedColumn { file: String, meaning: &'static str, first: String, second: String },

    /// A row with more or fewer fields than the header.
    #[error(
        "`{file}` {spot} has {found} columns where the header has {expected}: \
         complete or remove the row"
    )]
    ColumnCount { file: String, spot: Spot, found: usize, expected: usize },

    /// A field that is no finite number.
    #[error("{place}: `{value}` is not a finite number: correct it or remove the row")]
    NotANumber { place: Place, value: String },

    /// A price of zero or below.
    #[error("{place}: price `{value}` is not above zero: correct it or remove the row")]
    PriceNotPositive { place: Place, value: String },

    /// A volume below zero.
    #[error("{place}: volume `{value}` is below zero: correct it or remove the row")]
    NegativeVolume { place: Place, value: String },

    /// A high below the open, low or close.
    #[error("{place}: high `{value}` is below the bar's {other}: correct it or remove the row")]
    HighTooLow { place: Place, value: String, other: &'static str },

    /// A low above the open or close.
    #[error("{place}: low `{value}` is above the bar's {other}: correct it or remove the row")]
    LowTooHigh { place: Place, value: String, other: &'static str },

    /// A date that could be read with the day or the month first.
    #[error(
        "{place}: `{value}` can be read with the day or the month first: \
         write dates as YYYY-MM-DD"
    )]
    AmbiguousTime { place: Place, value: String },

    /// A text that is no time.
    #[error(
        "{place}: `{value}` is not a time: write ISO 8601 such as 2017-01-02T07:00:00Z, \
         or an epoch number from 1973 on"
    )]
    UnknownTime { place: Place, value: String },

    /// A time written in another way than the file's first one.
    #[error("{place}: `{value}` is not written like the first time, {first}: use one way")]
    MixedTimes { place: Place, value: String, first: &'static str },

    /// A bar that goes back in a file that goes forward in time, or the other way round.
    #[error(
        "{place}: `{value}` is {turned} the row above, which is {previous}: \
         sort the rows by time"
    )]
    Unsorted { place: Place, value: String, turned: &'static str, previous: Utc },

    /// Two bars of one time that say different things.
    #[error("{place}: `{value}` has a row already, with other values: keep one row for each time")]
    ConflictingRows { place: Place, value: String },

    /// One bar only, which tells no bar length.
    #[error("`{file}` has one bar, which does not tell how long its bars are: give at least two")]
    SingleBar { file: String },

    /// Bars of no one length.
    #[error(
        "`{file}` has no one bar length: most often {common} lies between two bars, \
         but {n_shorter} times less (first before {at}): give bars of one length"
    )]
    IrregularBars { file: String, common: String, n_shorter: usize, at: Utc },

    /// A stretch of bars of another length.
    #[error(
        "`{file}` mixes bars of {common} with bars of {found} (from {at}): give bars of one length"
    )]
    MixedLengths { file: String, common: String, found: String, at: Utc },

    /// Rows of more than one instrument.
    #[error(
        "{place}: `{value}` where the rows above have `{first}`: give the bars of one instrument"
    )]
    SecondInstrument { place: Place, value: String, first: String },

    /// Bars that cannot be merged on UTC boundaries.
    #[error(
        "`{file}` has bars of {found} that begin off the UTC boundaries of that length (such as \
         {at}), so that they cannot be merged into {asked}: give finer bars"
    )]
    OffBoundary { file: String, found: String, asked: String, at: Utc },

    /// Bars longer than the timeframe asked for.
    #[error(
        "`{file}` has bars of {found}, longer than the {asked} asked for: \
         give finer bars or ask for a longer timeframe"
    )]
    CoarserBars { file: String, found: String, asked: String },

    /// Bars whose length does not divide the timeframe asked for.
    #[error(
        "`{file}` has bars of {found}, which do not fill {asked} evenly: \
         give bars whose length divides it"
    )]
    UnevenBars { file: String, found: String, asked: String },

    /// Bars made in code that are no valid series.
    #[error("bar {bar_idx} {problem}: bars must be ascending, finite and positive")]
    InvalidBar { bar_idx: usize, problem: &'static str },

    /// A series without a bar.
    #[error("there are no bars: give at least one")]
    NoBars,

    /// Costs outside the possible range.
    #[error("costs of `{bps}` basis points per side are not between 0 and 1000")]
    InvalidCosts { bps: f64 },

    /// Fewer bars than the default split needs.
    #[error(
        "{n_bars} bars are too few: training, validation and test need {n_needed} together \
         ({warm_up} to warm up the features, {per_window} in each window); give more bars"
    )]
    TooFewBars { n_bars: usize, n_needed: usize, warm_up: usize, per_window: usize },

    /// Fewer bars than a model needs to see anything.
    #[error(
        "{n_bars} bars are too few: a model needs {n_needed} ({warm_up} to warm up the features); \
         give more bars from before"
    )]
    TooFewToRun { n_bars: usize, n_needed: usize, warm_up: usize },

    /// A window that is too short with the boundaries given.
    #[error(
        "the {window} window has {n_bars} bars and needs {n_needed}: \
         move `--validation-from` or `--test-from`, or give more bars"
    )]
    WindowTooShort { window: &'static str, n_bars: usize, n_needed: usize },

    /// More folds than the bars can be cut into.
    #[error(
        "{n_bars} bars cannot be cut into {n_folds} folds with windows long enough: \
         give fewer folds, or more bars"
    )]
    TooManyFolds { n_folds: usize, n_bars: usize },

    /// Boundaries the wrong way round.
    #[error(
        "validation would start at {validation_from} and test at {test_from}: \
         the test window must come later"
    )]
    BoundaryOrder { validation_from: Utc, test_from: Utc },

    /// A boundary outside the bars.
    #[error("{boundary} {at} is not inside the bars, which go from {first} to {last}")]
    BoundaryOutside { boundary: &'static str, at: Utc, first: Utc, last: Utc },

    /// A carried sample whose bytes are not what they were.
    #[error("the carried sample `{file}` is damaged ({problem}): build or install again")]
    DamagedSample { file: &'static str, problem: String },
}
