//! Bars: read, resampled to the timeframe, with features, and split into windows for a training.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use herdbook_domain::{Symbol, Timeframe, Timestamp, Window, Windows, hex_sha256};
use herdbook_market::{
    Bars, Boundaries, Closes, FeatureMatrix, Jump, MarketError, RawBars, ReadOptions, Sample,
    Split, Utc, features, jumps, read_bars_as, resample, split,
};
use serde::{Deserialize, Serialize};

use crate::environment::closes_file::ClosesFile;
use crate::error::TrainingError;

/// A file with bars, and how to read it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DataSource {
    /// Name of the file, used in errors and recorded in the run.
    pub name: String,
    /// Path of the file; `None` for a sample built into the program.
    pub path: Option<PathBuf>,
    /// The instrument.
    pub symbol: Symbol,
    /// How the instrument is known.
    #[serde(default)]
    pub naming: Naming,
    /// How to read what the file itself leaves open, such as its time zone.
    pub reading: ReadOptions,
    /// The time at which the bars are read: bars that have not ended by then are left out, and bars of the future are
    /// refused. `None` takes all bars, for files that are known to be complete.
    #[serde(default)]
    pub clock: Option<Timestamp>,
    /// What to do with jumps of the price that look like splits.
    #[serde(default)]
    pub jumps: Jumps,
    /// Contents of the file. Not serialized.
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

/// How the instrument of a file is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Naming {
    /// The user named it. The default for requests that older builds stored, which also took it from the file's name.
    #[default]
    Given,
    /// The file is named after it.
    OfFile,
    /// It is the instrument of the model that is to be run, unless the file or its bars tell otherwise.
    OfModel,
}

/// What to do with jumps of the price that look like splits of shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Jumps {
    /// Refuse the bars.
    Refused,
    /// Use the bars as they are, and record the jumps. The default for requests that older builds stored.
    #[default]
    Allowed,
}

impl DataSource {
    /// A file with bars, read as it is: without a clock, and with jumps.
    pub fn new(name: &str, symbol: Symbol, bytes: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            path: None,
            symbol,
            naming: Naming::default(),
            reading: ReadOptions::default(),
            clock: None,
            jumps: Jumps::default(),
            bytes,
        }
    }

    /// The sample built into the program for a timeframe.
    ///
    /// # Errors
    /// [`TrainingError::Market`] if the sample cannot be decompressed.
    pub fn sample(timeframe: Timeframe) -> Result<(Self, Sample), TrainingError> {
        let sample = Sample::for_timeframe(timeframe);
        let symbol = Symbol::parse(sample.symbol).expect("the samples' symbols are valid");
        Ok((Self::new(sample.file_name, symbol, sample.csv()?), sample))
    }
}

/// At most this many jumps are named in a message and recorded.
const MAX_NAMED_JUMPS: usize = 20;

/// Bars of one instrument with their features: all that a model is run on.
#[derive(Debug)]
pub struct Tape {
    /// The instrument.
    pub symbol: Symbol,
    /// The bars, resampled to the timeframe.
    pub bars: Bars,
    /// The features of each bar, one row per bar. Rows before [`FeatureMatrix::first`] are warm-up.
    pub features: FeatureMatrix,
    /// Number of bars per year, measured on the whole file, so that all windows are annualised alike; `None` if the file
    /// covers less than a week.
    pub bars_per_year: Option<f64>,
    /// Name of the file.
    pub source_name: String,
    /// Hex SHA-256 of the file.
    pub source_sha256: String,
    /// Number of rows that were left out because their values are not valid.
    pub n_bad_rows: usize,
    /// Notes about how the file was read: columns, dropped rows, resampling.
    pub remarks: Vec<String>,
    /// The instrument as the file itself names it, in a column or its header.
    pub named_in_file: Option<String>,
    /// The closes of the file in its own bar length, by which its bars are recognised.
    pub closes: ClosesFile,
    jumps: Vec<Jump>,
    jump_policy: Jumps,
}

/// The bars of a training and their windows.
#[derive(Debug)]
pub struct MarketData {
    /// All bars.
    pub tape: Arc<Tape>,
    /// Training, validation and test window.
    pub split: Split,
    /// Jumps of the price that look like splits and were allowed: bar and ratio of each.
    pub allowed_jumps: Vec<String>,
}

impl Tape {
    /// Reads the bars, resamples them to the timeframe and computes the features.
    ///
    /// # Errors
    /// [`TrainingError::Market`] if the file cannot be read or has shorter bars than can be resampled.
    pub fn read(source: &DataSource, timeframe: Timeframe) -> Result<Self, TrainingError> {
        let mut raw = read_bars_as(&source.bytes, &source.name, &source.reading)?;
        let n_bad_rows = raw.n_bad_rows();
        if let Some(clock) = source.clock {
            raw = raw.ended_by(clock.millis())?;
        }
        let mut remarks = remarks(&raw);
        let length_ms = raw.bar_length_ms();
        if length_ms != timeframe.millis() {
            remarks.push(format!("bars of {} s resampled to {timeframe}", length_ms / 1_000));
        }
        let named_in_file = raw.instrument().map(str::to_owned);
        let closes = Closes::of(raw.as_slice(), length_ms);
        let jumps = jumps(raw.as_slice());
        let bars = ended(resample(raw, timeframe)?, source, closes.end_ms(), &mut remarks)?;
        Ok(Self {
            symbol: source.symbol.clone(),
            features: features(&bars),
            bars_per_year: bars.bars_per_year(),
            bars,
            source_name: source.name.clone(),
            source_sha256: hex_sha256(&source.bytes),
            n_bad_rows,
            remarks,
            named_in_file,
            closes: ClosesFile::new(closes),
            jumps,
            jump_policy: source.jumps,
        })
    }

    /// The jumps that look like splits, from the warm-up of the bar `bar_idx` on, which are allowed.
    ///
    /// # Errors
    /// [`MarketError::Jumps`] if there are some and they are not allowed.
    pub(crate) fn allowed_jumps(&self, bar_idx: usize) -> Result<Vec<String>, MarketError> {
        let first = bar_idx.saturating_sub(self.features.first());
        let from_ms = self.bars.as_slice()[first].open_time_ms;
        let jumps = &self.jumps[self.jumps.partition_point(|jump| jump.open_time_ms < from_ms)..];
        let named = jumps.iter().take(MAX_NAMED_JUMPS).map(Jump::to_string);
        let mut named: Vec<String> = named.collect();
        if jumps.len() > MAX_NAMED_JUMPS {
            named.push(format!("and {} more", jumps.len() - MAX_NAMED_JUMPS));
        }
        match self.jump_policy {
            Jumps::Refused if !named.is_empty() => {
                Err(MarketError::Jumps { file: self.source_name.clone(), jumps: named.join(", ") })
            }
            _ => Ok(named),
        }
    }

    /// Indices of the bars that have features, so that a model can act on them.
    ///
    /// # Errors
    /// [`MarketError::TooFewToRun`] if there are fewer than `n_needed`.
    pub(crate) fn bars_with_features(&self, n_needed: usize) -> Result<Range<usize>, MarketError> {
        let first = self.features.first();
        if self.bars.len() < first + n_needed {
            return Err(MarketError::TooFewToRun {
                n_bars: self.bars.len(),
                n_needed: first + n_needed,
                warm_up: first,
            });
        }
        Ok(first..self.bars.len())
    }

    /// The time from the open of the first to the end of the last of these bars. `bars` must not be empty.
    pub(crate) fn window_of(&self, bars: Range<usize>) -> Window {
        let bars = &self.bars.as_slice()[bars];
        let last_ms = bars[bars.len() - 1].open_time_ms;
        Window {
            start: Timestamp::from_millis(bars[0].open_time_ms),
            end: Timestamp::from_millis(last_ms + self.bars.timeframe().millis()),
        }
    }
}

impl MarketData {
    /// Reads the bars and splits them into windows.
    ///
    /// # Errors
    /// [`TrainingError::Market`] if the file cannot be read or the bars cannot be split at these boundaries.
    pub fn prepare(
        source: &DataSource,
        timeframe: Timeframe,
        boundaries: Boundaries,
    ) -> Result<Self, TrainingError> {
        Self::split(Arc::new(Tape::read(source, timeframe)?), boundaries)
    }

    /// Splits bars that are already read into windows.
    pub(crate) fn split(tape: Arc<Tape>, boundaries: Boundaries) -> Result<Self, TrainingError> {
        let split = split(&tape.bars, boundaries)?;
        let allowed_jumps = tape.allowed_jumps(0)?;
        Ok(Self { tape, split, allowed_jumps })
    }

    /// The windows in the types of the domain.
    pub fn windows(&self) -> Windows {
        let window = |window: &herdbook_market::BarWindow| Window {
            start: Timestamp::from_millis(window.start_ms),
            end: Timestamp::from_millis(window.end_ms),
        };
        Windows {
            symbol: self.tape.symbol.clone(),
            timeframe: self.tape.bars.timeframe(),
            train: window(&self.split.train),
            validation: window(&self.split.validation),
            test: window(&self.split.test),
        }
    }
}

/// The resampled bars that have ended by the clock.
fn ended(
    bars: Bars,
    source: &DataSource,
    source_end_ms: i64,
    remarks: &mut Vec<String>,
) -> Result<Bars, MarketError> {
    let Some(clock) = source.clock else { return Ok(bars) };
    let (n_bars, timeframe, first_ms) = (bars.len(), bars.timeframe(), bars.first_ms());
    let opens: Vec<i64> = bars.as_slice().iter().map(|bar| bar.open_time_ms).collect();
    let ended =
        bars.ended_by(clock.millis(), source_end_ms).ok_or_else(|| MarketError::NoEndedBar {
            file: source.name.clone(),
            first: Utc(first_ms),
            length: timeframe.to_string(),
            now: Utc(clock.millis()),
        })?;
    if ended.len() < n_bars {
        remarks.push(format!(
            "the {timeframe} bar that opens at {} has not ended and is left out",
            Utc(opens[ended.len()])
        ));
    }
    Ok(ended)
}

fn remarks(raw: &RawBars) -> Vec<String> {
    let columns: Vec<String> = raw
        .columns()
        .iter()
        .map(|column| format!("{} `{}`", column.meaning, column.name))
        .collect();
    let mut remarks = vec![format!("columns: {}", columns.join(", "))];
    remarks.extend(raw.remarks().iter().cloned());
    match raw.n_repeated_rows() {
        0 => {}
        1 => remarks.push("1 repeated row dropped".to_owned()),
        n => remarks.push(format!("{n} repeated rows dropped")),
    }
    remarks
}
