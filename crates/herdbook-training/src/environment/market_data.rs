//! Bars: read, resampled to the timeframe, with features, and split into windows for a training.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use herdbook_domain::{Symbol, Timeframe, Timestamp, Window, Windows, hex_sha256};
use herdbook_market::{
    Bars, Boundaries, FeatureMatrix, MarketError, RawBars, ReadOptions, Sample, Split, features,
    read_bars_as, resample, split,
};
use serde::{Deserialize, Serialize};

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
    /// How to read what the file itself leaves open, such as its time zone.
    pub reading: ReadOptions,
    /// Contents of the file. Not serialized.
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

impl DataSource {
    /// The sample built into the program for a timeframe.
    ///
    /// # Errors
    /// [`TrainingError::Market`] if the sample cannot be decompressed.
    pub fn sample(timeframe: Timeframe) -> Result<(Self, Sample), TrainingError> {
        let sample = Sample::for_timeframe(timeframe);
        let symbol = Symbol::parse(sample.symbol).expect("the samples' symbols are valid");
        let source = Self {
            name: sample.file_name.to_owned(),
            path: None,
            symbol,
            reading: ReadOptions::default(),
            bytes: sample.csv()?,
        };
        Ok((source, sample))
    }
}

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
}

/// The bars of a training and their windows.
#[derive(Debug)]
pub struct MarketData {
    /// All bars.
    pub tape: Arc<Tape>,
    /// Training, validation and test window.
    pub split: Split,
}

impl Tape {
    /// Reads the bars, resamples them to the timeframe and computes the features.
    ///
    /// # Errors
    /// [`TrainingError::Market`] if the file cannot be read or has shorter bars than can be resampled.
    pub fn read(source: &DataSource, timeframe: Timeframe) -> Result<Self, TrainingError> {
        let raw = read_bars_as(&source.bytes, &source.name, &source.reading)?;
        let n_bad_rows = raw.n_bad_rows();
        let mut remarks = remarks(&raw);
        if raw.bar_length_ms() != timeframe.millis() {
            remarks.push(format!(
                "bars of {} s resampled to {timeframe}",
                raw.bar_length_ms() / 1_000
            ));
        }
        let bars = resample(raw, timeframe)?;
        Ok(Self {
            symbol: source.symbol.clone(),
            features: features(&bars),
            bars_per_year: bars.bars_per_year(),
            bars,
            source_name: source.name.clone(),
            source_sha256: hex_sha256(&source.bytes),
            n_bad_rows,
            remarks,
        })
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
        Ok(Self { tape, split })
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
