//! The bars of a file in their own length.

use super::header::RecognisedColumn;
use crate::bars::Bar;

/// The bars of a file in their own length, before they are resampled to a timeframe.
#[derive(Debug, Clone, PartialEq)]
pub struct RawBars {
    pub(crate) file: String,
    pub(crate) bars: Vec<Bar>,
    pub(crate) bar_length_ms: i64,
    pub(super) n_repeated_rows: usize,
    pub(super) n_bad_rows: usize,
    pub(super) columns: Vec<RecognisedColumn>,
    pub(super) remarks: Vec<String>,
    pub(super) instrument: Option<String>,
}

impl RawBars {
    /// The bars, oldest first.
    pub fn as_slice(&self) -> &[Bar] {
        &self.bars
    }

    /// Length of one bar in milliseconds.
    ///
    /// This is the most frequent distance between consecutive opens, and the shortest of equally frequent ones. Nights,
    /// weekends and missing bars do not affect it.
    pub fn bar_length_ms(&self) -> i64 {
        self.bar_length_ms
    }

    /// Number of rows that were dropped because they repeat the row above exactly.
    pub fn n_repeated_rows(&self) -> usize {
        self.n_repeated_rows
    }

    /// Number of rows that were left out because their values are not valid
    /// ([`ReadOptions::bad_rows`](crate::ReadOptions::bad_rows)).
    pub fn n_bad_rows(&self) -> usize {
        self.n_bad_rows
    }

    /// Remarks for the user on what was recognised, assumed or left out.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// The recognised columns, in the order of the file.
    pub fn columns(&self) -> &[RecognisedColumn] {
        &self.columns
    }

    /// The instrument, as the file names it in a column or its header; `None` if it does not.
    pub fn instrument(&self) -> Option<&str> {
        self.instrument.as_deref()
    }

    /// Names the instrument, unless a column does so.
    pub(super) fn of_instrument(mut self, name: Option<String>) -> Self {
        self.instrument = self.instrument.or(name);
        self
    }

    pub(super) fn add_remark(&mut self, remark: String) {
        self.remarks.push(remark);
    }

    pub(super) fn with_remark(mut self, remark: String) -> Self {
        self.remarks.insert(0, remark);
        self
    }
}
