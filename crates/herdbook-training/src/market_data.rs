//! Bars as a model meets them: read, brought to the timeframe, turned into features; and, for a training, split
//! into windows.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use herdbook_domain::{Symbol, Timeframe, Timestamp, Window, Windows, hex_sha256};
use herdbook_market::{
    Bars, Boundaries, FeatureMatrix, MarketError, RawBars, ReadOptions, Sample, Split, features,
    read_bars_as, resample, split,
};

use serde::{Deserialize, Serialize};

use crate::TrainingError;

/// Where bars come from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DataSource {
    /// Name of the file, for errors and the record.
    pub name: String,
    /// Where the file lies; `None` for a sample carried in the program.
    pub path: Option<PathBuf>,
    /// The instrument.
    pub symbol: Symbol,
    /// What the file does not say of itself.
    pub reading: ReadOptions,
    /// The file; not kept with a description of the source.
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

impl DataSource {
    /// The sample carried in the program for a timeframe.
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

/// Bars with everything that a model is run on.
#[derive(Debug)]
pub struct Tape {
    /// The instrument.
    pub symbol: Symbol,
    /// The bars at the timeframe.
    pub bars: Bars,
    /// What a model sees of each bar.
    pub features: FeatureMatrix,
    /// Of the whole file, so that every window is annualised alike; `None` for less than a week.
    pub bars_per_year: Option<f64>,
    /// Name of the file.
    pub source_name: String,
    /// Hex SHA-256 of the file.
    pub source_sha256: String,
    /// What reading the file has to say of it.
    pub remarks: Vec<String>,
}

/// The bars of a training.
#[derive(Debug)]
pub struct MarketData {
    /// All of them.
    pub tape: Arc<Tape>,
    /// The three windows.
    pub split: Split,
}

impl Tape {
    /// Reads, resamples and computes.
    pub fn read(source: &DataSource, timeframe: Timeframe) -> Result<Self, TrainingError> {
        let raw = read_bars_as(&source.bytes, &source.name, &source.reading)?;
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
            remarks,
        })
    }

    /// The bars on which a model can act; `n_needed` of them at least.
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

    /// The time that bars take, at least one of them.
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
    /// Reads the bars and splits them.
    pub fn prepare(
        source: &DataSource,
        timeframe: Timeframe,
        boundaries: Boundaries,
    ) -> Result<Self, TrainingError> {
        Self::split(Arc::new(Tape::read(source, timeframe)?), boundaries)
    }

    /// Splits bars that were read already.
    pub(crate) fn split(tape: Arc<Tape>, boundaries: Boundaries) -> Result<Self, TrainingError> {
        let split = split(&tape.bars, boundaries)?;
        Ok(Self { tape, split })
    }

    /// The windows as the rulebook knows them.
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
