//! Errors about market data, costs and windows, one variant for each cause.

use std::fmt;

use crate::time::Utc;

/// The location of a field in a data file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldLocation {
    /// Name of the file, as the caller gave it.
    pub file: String,
    /// The row.
    pub row: RowLocation,
    /// Name of the column, as the header spells it.
    pub column: String,
}

/// The location of a row in a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowLocation {
    /// Line of a text file, from 1; the header usually is line 1.
    Line(u64),
    /// Row of a table, from 1.
    Row(u64),
}

impl fmt::Display for FieldLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}, column `{}`", self.file, self.row, self.column)
    }
}

impl fmt::Display for RowLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// Why bars, costs or windows are refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of a variant explains its fields")]
pub enum MarketError {
    /// The file has no bytes, or only blank lines.
    #[error("`{file}` is empty: give a csv file with a header and one bar per row")]
    EmptyFile { file: String },

    /// A gzip file or zip archive cannot be unpacked, or unpacks to more than 2 GiB.
    #[error("`{file}` cannot be unpacked: {problem}")]
    Packed { file: String, problem: String },

    /// An archive contains several files, and it is not clear which of them has the bars.
    #[error("`{file}` contains several files: choose one with `--member`: {members}")]
    SeveralMembers { file: String, members: String },

    /// An archive does not contain the requested file.
    #[error("`{file}` contains no file `{asked}` (flag `--member`), only {members}")]
    NoSuchMember { file: String, asked: String, members: String },

    /// An archive contains no file.
    #[error("`{file}` contains no file")]
    EmptyArchive { file: String },

    /// A member was requested of a file that is not an archive.
    #[error("`{file}` is not a zip archive: `--member` chooses a file inside one")]
    NoArchive { file: String },

    /// The file has a known format that is not supported.
    #[error(
        "`{file}` is {what}, which is not supported: give CSV or Parquet, such as pandas' `to_parquet` \
         or freqtrade's `convert-data --format-to parquet` writes"
    )]
    ForeignFormat { file: String, what: &'static str },

    /// A Parquet file cannot be decoded.
    #[error("`{file}` cannot be read as Parquet: {problem}")]
    Parquet { file: String, problem: String },

    /// A column of a Parquet file has a type that is not supported for bars.
    #[error(
        "`{file}` column `{column}` is of type {found}: give {needed}, or write the file as CSV"
    )]
    ColumnType { file: String, column: String, found: String, needed: &'static str },

    /// A JSON file is not a list of bars.
    #[error("`{file}` cannot be read as JSON: {problem}")]
    Json { file: String, problem: String },

    /// JSON rows are lists, and no column names were given.
    #[error(
        "`{file}` has rows of {n_fields} values without names: name them with `--columns`, such as \
         `--columns date,open,high,low,close,volume` for freqtrade's files"
    )]
    UnnamedColumns { file: String, n_fields: usize },

    /// A line contains a NUL byte, or is not UTF-8.
    #[error("`{file}` line {line} is not text: give a csv file in UTF-8, plain or gzipped")]
    NotText { file: String, line: u64 },

    /// The file has a header, but no rows.
    #[error("`{file}` has a header but no bars: give a csv file with one bar per row")]
    OnlyHeader { file: String },

    /// The header does not name all required columns.
    #[error(
        "`{file}` begins with `{found}`, which names no column for {missing}: \
         the first line must be a header, or `--columns` must give one; known names are {known}"
    )]
    MissingColumns { file: String, found: String, missing: String, known: &'static str },

    /// Several columns could be the volume.
    #[error(
        "`{file}` has more than one column for volume (`{first}`, `{second}`): choose one with \
         `--volume-column`, or `--volume-column none`"
    )]
    SeveralVolumes { file: String, first: String, second: String },

    /// The requested volume column does not exist.
    #[error("`{file}` has no column `{asked}` (flag `--volume-column`), only {found}")]
    NoSuchVolume { file: String, asked: String, found: String },

    /// A file has local times, and their time zone was not given.
    #[error(
        "{location}: `{value}` is a local time of the exporting program: give its time zone with \
         `--bar-timezone`, such as `UTC`, `+02:00` or `Europe/Athens`"
    )]
    UnknownZone { location: FieldLocation, value: String },

    /// A local time occurred twice, because clocks were set back.
    #[error(
        "{location}: `{value}` occurred twice in {zone}, where clocks were set back, and the rows \
         around it do not show which one is meant: export in UTC, or remove the rows of that hour"
    )]
    LocalTimeTwice { location: FieldLocation, value: String, zone: String },

    /// A local time never occurred, because clocks were set forward.
    #[error(
        "{location}: `{value}` never occurred in {zone}, where clocks were set forward: give the right \
         time zone, or export in UTC"
    )]
    NoSuchLocalTime { location: FieldLocation, value: String, zone: String },

    /// Two columns have the same meaning.
    #[error(
        "`{file}` has two columns for {meaning}, `{first}` and `{second}`: rename or remove one"
    )]
    RepeatedColumn { file: String, meaning: &'static str, first: String, second: String },

    /// A row has more or fewer fields than the header.
    #[error(
        "`{file}` {row} has {found} columns where the header has {expected}: \
         complete or remove the row"
    )]
    ColumnCount { file: String, row: RowLocation, found: usize, expected: usize },

    /// A field is not a finite number.
    #[error("{location}: `{value}` is not a finite number: correct it or remove the row")]
    NotANumber { location: FieldLocation, value: String },

    /// A price is zero or below.
    #[error("{location}: price `{value}` is not above zero: correct it or remove the row")]
    PriceNotPositive { location: FieldLocation, value: String },

    /// A volume is below zero.
    #[error("{location}: volume `{value}` is below zero: correct it or remove the row")]
    NegativeVolume { location: FieldLocation, value: String },

    /// A high is below the open, low or close.
    #[error("{location}: high `{value}` is below the bar's {other}: correct it or remove the row")]
    HighTooLow { location: FieldLocation, value: String, other: &'static str },

    /// A low is above the open or close.
    #[error("{location}: low `{value}` is above the bar's {other}: correct it or remove the row")]
    LowTooHigh { location: FieldLocation, value: String, other: &'static str },

    /// A date does not show whether the day or the month comes first.
    #[error(
        "{location}: `{value}` can be read with the day or the month first: \
         write dates as YYYY-MM-DD"
    )]
    AmbiguousTime { location: FieldLocation, value: String },

    /// A text is not a time.
    #[error(
        "{location}: `{value}` is not a time: write ISO 8601 such as 2017-01-02T07:00:00Z, \
         or an epoch number from 1973 on"
    )]
    UnknownTime { location: FieldLocation, value: String },

    /// A time is not in the format of the file's first time.
    #[error(
        "{location}: `{value}` is not in the format of the first time, {first}: use one format"
    )]
    MixedTimes { location: FieldLocation, value: String, first: &'static str },

    /// The rows are sorted neither by ascending nor by descending time.
    #[error(
        "{location}: `{value}` is {turned} the row above, which is {previous}: \
         sort the rows by time"
    )]
    Unsorted { location: FieldLocation, value: String, turned: &'static str, previous: Utc },

    /// Two rows have the same time but different values.
    #[error(
        "{location}: there is already a row for `{value}`, with other values: keep one row for each time"
    )]
    ConflictingRows { location: FieldLocation, value: String },

    /// The file has only one bar, so its length is unknown.
    #[error("`{file}` has only one bar, so the length of its bars is unknown: give at least two")]
    SingleBar { file: String },

    /// Bars are closer together than the usual bar length of the file.
    #[error(
        "`{file}` has no single bar length: most bars are {common} apart, but {n_shorter} are \
         closer together (first at {at}): give bars of one length"
    )]
    IrregularBars { file: String, common: String, n_shorter: usize, at: Utc },

    /// A part of the file has bars of another length.
    #[error(
        "`{file}` mixes bars of {common} with bars of {found} (from {at}): give bars of one length"
    )]
    MixedLengths { file: String, common: String, found: String, at: Utc },

    /// The rows belong to more than one instrument.
    #[error(
        "{location}: `{value}` where the rows above have `{first}`: give the bars of one instrument"
    )]
    SecondInstrument { location: FieldLocation, value: String, first: String },

    /// Bars open after the clock's time.
    #[error(
        "`{file}` has {n_bars} {} of the future, the first of {first}, but it is {now}: if its times are local, \
         name their zone with `--bar-timezone`; otherwise correct the clock or the file",
        if *.n_bars == 1 { "bar" } else { "bars" }
    )]
    FutureBars { file: String, n_bars: usize, first: Utc, now: Utc },

    /// No bar has ended by the clock's time.
    #[error(
        "`{file}` has no bar that has ended: its first one opens at {first} and lasts {length}, but it is {now}"
    )]
    NoEndedBar { file: String, first: Utc, length: String, now: Utc },

    /// The price jumps like that of a share that was split.
    #[error(
        "the price in `{file}` jumps like that of a share that was split: {jumps}: give prices adjusted for splits, \
         or use them as they are with `--allow-jump`"
    )]
    Jumps { file: String, jumps: String },

    /// Bars do not start on UTC boundaries of their length, so they cannot be merged.
    #[error(
        "`{file}` has bars of {found} that do not start on UTC boundaries of that length (such as \
         {at}), so they cannot be merged into {asked}: give finer bars"
    )]
    OffBoundary { file: String, found: String, asked: String, at: Utc },

    /// Bars are longer than the requested timeframe.
    #[error(
        "`{file}` has bars of {found}, longer than the requested {asked}: \
         give finer bars or ask for a longer timeframe"
    )]
    CoarserBars { file: String, found: String, asked: String },

    /// The bar length does not divide the requested timeframe.
    #[error(
        "`{file}` has bars of {found}, which do not fill {asked} evenly: \
         give bars whose length divides it"
    )]
    UnevenBars { file: String, found: String, asked: String },

    /// Bars given as values are not a valid series.
    #[error("bar {bar_idx} {problem}: bars must be ascending, finite and positive")]
    InvalidBar { bar_idx: usize, problem: &'static str },

    /// There are no bars.
    #[error("there are no bars: give at least one")]
    NoBars,

    /// Costs are outside the permitted range.
    #[error("costs of `{bps}` basis points per side are not between 0 and 1000")]
    InvalidCosts { bps: f64 },

    /// There are fewer bars than the default split needs.
    #[error(
        "{n_bars} bars are too few: training, validation and test need {n_needed} together \
         ({warm_up} to warm up the features, {per_window} in each window); give more bars"
    )]
    TooFewBars { n_bars: usize, n_needed: usize, warm_up: usize, per_window: usize },

    /// There are fewer bars than a model needs for its first observation.
    #[error(
        "{n_bars} bars are too few: a model needs {n_needed} ({warm_up} to warm up the features); \
         give more bars from before"
    )]
    TooFewToRun { n_bars: usize, n_needed: usize, warm_up: usize },

    /// A window is too short with the given boundaries.
    #[error(
        "the {window} window has {n_bars} bars and needs {n_needed}: \
         move `--validation-from` or `--test-from`, or give more bars"
    )]
    WindowTooShort { window: &'static str, n_bars: usize, n_needed: usize },

    /// The bars are too few for the requested number of folds.
    #[error(
        "{n_bars} bars are too few for {n_folds} folds: \
         give fewer folds, or more bars"
    )]
    TooManyFolds { n_folds: usize, n_bars: usize },

    /// The test window would not start after the validation window.
    #[error(
        "validation would start at {validation_from} and test at {test_from}: \
         the test window must come later"
    )]
    BoundaryOrder { validation_from: Utc, test_from: Utc },

    /// A boundary is outside the bars.
    #[error("{boundary} {at} is not inside the bars, which go from {first} to {last}")]
    BoundaryOutside { boundary: &'static str, at: Utc, first: Utc, last: Utc },

    /// A built-in sample does not match its hash.
    #[error("the built-in sample `{file}` is damaged ({problem}): build or install again")]
    DamagedSample { file: &'static str, problem: String },
}
