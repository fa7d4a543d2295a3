//! The windows of time that a model was trained, validated and tested on, and how a run records them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::history::hex_sha256;
use crate::values::{ModelType, Symbol, Timeframe, Timestamp};

/// A half-open window of time: the bars that open at or after `start` and before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Open time of the first bar.
    pub start: Timestamp,
    /// The first moment after the window.
    pub end: Timestamp,
}

impl Window {
    /// Whether the two windows have a moment in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The window at a later time.
    #[must_use]
    pub fn moved(self, millis: i64) -> Self {
        let moved = |at: Timestamp| Timestamp::from_millis(at.millis() + millis);
        Self { start: moved(self.start), end: moved(self.end) }
    }

    /// The window with its end moved.
    #[must_use]
    pub fn extended(self, millis: i64) -> Self {
        Self { start: self.start, end: Timestamp::from_millis(self.end.millis() + millis) }
    }
}

/// The windows that a model was trained, validated and tested on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Windows {
    /// The instrument.
    pub symbol: Symbol,
    /// Length of one bar.
    pub timeframe: Timeframe,
    /// The bars that the weights were trained on.
    pub train: Window,
    /// The bars that the training was monitored and the model selected on.
    pub validation: Window,
    /// The bars that results are reported on.
    pub test: Window,
}

impl Windows {
    /// The params by which a run records its windows; [`window_params`] has the keys.
    pub fn to_params(&self) -> Vec<(&'static str, String)> {
        let edges = [
            self.train.start,
            self.train.end,
            self.validation.start,
            self.validation.end,
            self.test.start,
            self.test.end,
        ];
        let mut params = vec![(window_params::SYMBOL, self.symbol.to_string())];
        params.extend(window_params::EDGES.into_iter().zip(edges.map(|edge| edge.to_string())));
        params
    }

    /// Reads the windows from the params of a run; `None` where one is missing or invalid.
    pub fn from_params(timeframe: Timeframe, params: &BTreeMap<String, String>) -> Option<Self> {
        let symbol = Symbol::parse(params.get(window_params::SYMBOL)?).ok()?;
        let mut edges =
            window_params::EDGES.iter().map(|key| Timestamp::parse(params.get(*key)?).ok());
        let mut window = || Some(Window { start: edges.next()??, end: edges.next()?? });
        Some(Self { symbol, timeframe, train: window()?, validation: window()?, test: window()? })
    }

    /// The training and validation windows, each with one bar more at its end.
    pub fn learned_from(&self) -> [Window; 2] {
        [self.train, self.validation].map(|window| window.extended(self.timeframe.millis()))
    }
}

/// Keys by which a run records its bars, windows and costs.
pub mod window_params {
    /// Param: the instrument.
    pub const SYMBOL: &str = "data.symbol";
    /// Param: lower-case hex SHA-256 over the bars as used.
    pub const BARS_SHA256: &str = "data.sha256";
    /// Param: lower-case hex SHA-256 of the file of closes, by which the bars are recognised under another name. Absent in
    /// runs of older builds.
    pub const CLOSES_SHA256: &str = "data.closes_sha256";
    /// Param: the jumps in the bars that look like splits and were allowed; absent without one.
    pub const ALLOWED_JUMPS: &str = "data.allowed_jumps";
    /// Params: start and end of the training, validation and test windows, ISO 8601, half-open.
    pub const EDGES: [&str; 6] = [
        "data.train_start",
        "data.train_end",
        "data.validation_start",
        "data.validation_end",
        "data.test_start",
        "data.test_end",
    ];
    /// Param: basis points of traded notional charged per side.
    pub const COST_BPS: &str = "env.cost_bps";
    /// Tag: timeframe, model type and a hash over all params above except the costs. Runs on the same data are found by
    /// it without reading the params of all runs.
    pub const FINGERPRINT: &str = "data.fingerprint";

    /// The params that must be equal for two runs to have used the same data.
    pub fn of_data() -> impl Iterator<Item = &'static str> {
        [SYMBOL, BARS_SHA256].into_iter().chain(EDGES)
    }

    /// The params that must be equal for the results of two runs to be comparable: the data and the costs.
    pub fn of_result() -> impl Iterator<Item = &'static str> {
        of_data().chain([COST_BPS])
    }

    /// The params that the seal of a version holds: those of its result, the closes by which its bars are recognised, and the
    /// jumps that were allowed in them.
    pub fn sealed() -> impl Iterator<Item = &'static str> {
        of_result().chain([CLOSES_SHA256, ALLOWED_JUMPS])
    }
}

/// The value of the tag [`window_params::FINGERPRINT`] for a run with these params:
/// `<timeframe>/<model type>/<16 hex digits>`.
pub fn data_fingerprint(
    timeframe: Timeframe,
    model_type: ModelType,
    params: &BTreeMap<String, String>,
) -> String {
    let values: Vec<&str> =
        window_params::of_data().map(|key| params.get(key).map_or("", String::as_str)).collect();
    let hash = hex_sha256(values.join("\n").as_bytes());
    format!("{timeframe}/{model_type}/{}", &hash[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A window in hourly bars.
    fn window(start: i64, end: i64) -> Window {
        let at = |bar: i64| Timestamp::from_millis(bar * Timeframe::Hour1.millis());
        Window { start: at(start), end: at(end) }
    }

    #[test]
    fn windows_read_back_from_their_params() {
        let windows = Windows {
            symbol: Symbol::parse("EURUSD").unwrap(),
            timeframe: Timeframe::Hour1,
            train: window(0, 63),
            validation: window(64, 79),
            test: window(80, 100),
        };
        let mut params: BTreeMap<String, String> =
            windows.to_params().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        assert_eq!(Windows::from_params(Timeframe::Hour1, &params), Some(windows));
        params.remove("data.test_end");
        assert_eq!(Windows::from_params(Timeframe::Hour1, &params), None);
    }
}
