//! Errors about market data, costs and windows, one variant for each cause.

use std::fmt;

use crate::location::{FieldLocation, RowLocation};
use crate::time::Utc;

/// A fault of a row, described without the name of the file and without advice.
#[derive(Debug, Clone, PartialEq)]
pub struct BadRow(pub MarketError);

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let (_, text) = text.split_once("` ").unwrap_or(("", &text));
        let advice =
            [": correct it or remove the row", ": complete or remove the row", ": remove the row"];
        let end = advice.into_iter().filter_map(|advice| text.find(advice)).min();
        f.write_str(&text[..end.unwrap_or(text.len())])
    }
}

/// What to do about rows with faults.
fn remedy(can_be_skipped: bool, are_columns_swapped: bool) -> &'static str {
    if are_columns_swapped {
        "these are most rows, so the header names the columns wrongly: name all of them in their order with `--columns`"
    } else if can_be_skipped {
        "correct or remove them, or leave them out with `--skip-bad-rows`"
    } else {
        "correct or remove them"
    }
}

/// The first faults, one a line, and how many there are more.
fn listed(rows: &[BadRow], n_rows: usize) -> String {
    let mut lines: Vec<String> = rows.iter().map(ToString::to_string).collect();
    if n_rows > rows.len() {
        lines.push(format!("and {} more", n_rows - rows.len()));
    }
    format!("\n  {}\n", lines.join("\n  "))
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

    /// The file is packed in a way that is not supported.
    #[error(
        "`{file}` is packed with {format}, which is not supported: unpack it with `{program}`, or pack it with gzip or zstd"
    )]
    ForeignPacking { file: String, format: &'static str, program: &'static str },

    /// An archive contains several files, and it is not clear which of them has the bars.
    #[error("`{file}` contains several files: choose one with `--member`: {members}")]
    SeveralMembers { file: String, members: String, names: Vec<String> },

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

    /// Rows have no names, and their contents do not show what each column is.
    #[error(
        "`{file}` has rows of {n_fields} values without names, and their contents leave open which is which: name all \
         in their order with `--columns`, such as `--columns time,open,high,low,close,volume`, and `_` for others"
    )]
    UnnamedColumns { file: String, n_fields: usize, flags: Vec<String> },

    /// `--columns` names fewer or more columns than there are.
    #[error(
        "`--columns` names {given} columns, and the rows of `{file}` have {found}: name all in their order (`_` for \
         others), or some by their names, such as `close=Last`"
    )]
    GivenColumns { file: String, given: usize, found: usize, flags: Vec<String> },

    /// `--columns` names a column that the file does not have.
    #[error("`{file}` has no column `{asked}` (flag `--columns`), only {found}")]
    NoSuchColumn { file: String, asked: String, found: String },

    /// A line contains a NUL byte or another control character.
    #[error("`{file}` line {line} is not text: give a csv file in UTF-8, plain or gzipped")]
    NotText { file: String, line: u64 },

    /// The file has a header, but no rows.
    #[error("`{file}` has a header but no bars: give a csv file with one bar per row")]
    OnlyHeader { file: String },

    /// The header does not name all required columns.
    #[error(
        "`{file}` begins with `{found}`, which names no column for {missing}: \
         name the columns with `--columns`; known names are {known}"
    )]
    MissingColumns {
        file: String,
        found: String,
        missing: String,
        known: &'static str,
        flags: Vec<String>,
    },

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
        "`{file}` has two columns for {meaning}, `{first}` and `{second}`: choose one by its name or number with \
         `--columns {meaning}=NAME`, or rename or remove one"
    )]
    RepeatedColumn {
        file: String,
        meaning: &'static str,
        first: String,
        second: String,
        flags: Vec<String>,
    },

    /// Several rows have faults.
    #[error(
        "`{file}` has {n_rows} rows with faults ({counts}):{}{}",
        listed(rows, *n_rows),
        remedy(*can_be_skipped, *are_columns_swapped)
    )]
    BadRows {
        file: String,
        n_rows: usize,
        counts: String,
        /// Whether the rows can be left out without a change of the other bars.
        can_be_skipped: bool,
        /// Whether the prices of most rows contradict each other.
        are_columns_swapped: bool,
        /// The first of the faults.
        rows: Vec<BadRow>,
    },

    /// A row has no price at all.
    #[error(
        "`{file}` {row} has no prices: remove the row, or leave out such rows with `--skip-bad-rows`"
    )]
    NoPrices { file: String, row: RowLocation },

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

    /// Every comma in the numbers stands before three digits.
    #[error(
        "{location}: the comma of `{value}` can be a decimal comma or separate thousands, and no other number shows \
         which: give `--decimal ,` or `--decimal .`"
    )]
    AmbiguousNumber { location: FieldLocation, value: String },

    /// A date does not show whether the day or the month comes first.
    #[error(
        "{location}: `{value}` can be read with the day or the month first, and no other date shows which: give \
         `--time-format day-first` or `--time-format month-first`, or write dates as YYYY-MM-DD"
    )]
    AmbiguousTime { location: FieldLocation, value: String },

    /// A date does not exist in the order of the other dates.
    #[error(
        "{location}: `{value}` is no date with the {order} order of the other dates: use one order"
    )]
    OtherDateOrder { location: FieldLocation, value: String, order: &'static str },

    /// A time does not fit the format that the user gave.
    #[error("{location}: `{value}` does not fit the format given with `--time-format`")]
    NotInFormat { location: FieldLocation, value: String },

    /// Times without a zone repeat an hour at which clocks are set back somewhere.
    #[error(
        "{location}: `{value}` is not after the row above. At this time clocks are set back in {}: if the times are \
         local, give their zone with `--bar-timezone`", zones.join(", ")
    )]
    ClockChange { location: FieldLocation, value: String, zones: Vec<String> },

    /// The sessions of the file look as if its bars were stamped at their close.
    #[error(
        "`{file}` has bars of {length} whose sessions begin a bar late and end on the half hour, such as {begin} to \
         {end}: give `--bars-stamped close` if a bar ends at its time, `--bars-stamped open` if it begins there"
    )]
    UnclearStamp { file: String, length: String, begin: Utc, end: Utc },

    /// A text is not a time.
    #[error(
        "{location}: `{value}` is not a time: give its format with `--time-format`, such as `%d/%m/%Y %H:%M`, \
         or write ISO 8601 such as 2017-01-02T07:00:00Z"
    )]
    UnknownTime { location: FieldLocation, value: String },

    /// A time is not in the format of the file's first time.
    #[error(
        "{location}: `{value}` is not in the format of the first time, {first}: use one format"
    )]
    MixedTimes { location: FieldLocation, value: String, first: &'static str },

    /// Rows are not sorted by time although their order shows which hour is meant where clocks were set back.
    #[error(
        "{location}: `{value}` is {turned} the row above, which is {previous}: sort the rows by time, because their \
         order shows which hour is meant where clocks were set back"
    )]
    Unsorted { location: FieldLocation, value: String, turned: &'static str, previous: Utc },

    /// Two rows have the same time but different values.
    #[error(
        "{location}: there is already a row for `{value}`, with other values: keep one row for each time"
    )]
    ConflictingRows { location: FieldLocation, value: String },

    /// Rows at one time have different values, and are not next to each other.
    #[error(
        "`{file}` has rows with the same time and other values, at {n} {}, the first at {first}: keep one row for each time",
        if *.n == 1 { "time" } else { "times" }
    )]
    ConflictingTimes { file: String, n: usize, first: Utc },

    /// The times of a day begin again after 12:59.
    #[error(
        "{location}: `{value}` is before the row above, and no time of the file is after 12:59: its clock seems to have 12 \
         hours; write times with AM and PM, or with 24 hours. If the times are right, sort the rows"
    )]
    HalfDayClock { location: FieldLocation, value: String },

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
