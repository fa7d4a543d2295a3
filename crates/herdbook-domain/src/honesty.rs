//! The honesty rule (spec §8): a model is judged only on bars that neither it nor any ancestor was trained on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::closed_set::closed_set;
use crate::{ModelType, Symbol, Timeframe, Timestamp, hex_sha256};

closed_set! {
    /// Whether a model's test window is free of bars that it or an ancestor has seen.
    Honesty, "honesty state" {
        /// No bar of the test window was seen.
        Clean = "clean",
        /// At least one bar of the test window was seen: its test results mean nothing.
        Contaminated = "contaminated",
        /// The windows of the model or of an ancestor are not recorded.
        Unknown = "unknown",
    }
}

/// A stretch of time, half-open: the bars whose open time is at or after `start` and before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Open time of the first bar.
    pub start: Timestamp,
    /// The first moment after the window.
    pub end: Timestamp,
}

impl Window {
    /// Whether a moment lies in both.
    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    fn extended(self, millis: i64) -> Self {
        Self { start: self.start, end: Timestamp::from_millis(self.end.millis() + millis) }
    }
}

/// The bars a model was trained, validated and tested on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Windows {
    /// The instrument.
    pub symbol: Symbol,
    /// Length of one bar.
    pub timeframe: Timeframe,
    /// Bars learned from.
    pub train: Window,
    /// Bars by which the training is watched, and models are chosen.
    pub validation: Window,
    /// Bars the result is reported on.
    pub test: Window,
}

impl Windows {
    /// The params a run records of its windows (see [`window_params`]).
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

    /// The windows that a run of a timeframe recorded, if it recorded them all.
    pub fn from_params(timeframe: Timeframe, params: &BTreeMap<String, String>) -> Option<Self> {
        let symbol = Symbol::parse(params.get(window_params::SYMBOL)?).ok()?;
        let mut edges =
            window_params::EDGES.iter().map(|key| Timestamp::parse(params.get(*key)?).ok());
        let mut window = || Some(Window { start: edges.next()??, end: edges.next()?? });
        Some(Self { symbol, timeframe, train: window()?, validation: window()?, test: window()? })
    }

    /// What was seen: the training and validation windows, each with one bar more.
    fn seen(&self) -> [Window; 2] {
        [self.train, self.validation].map(|window| window.extended(self.timeframe.millis()))
    }
}

/// Keys by which a run records what it was trained, validated and tested on.
pub mod window_params {
    /// Param: the instrument.
    pub const SYMBOL: &str = "data.symbol";
    /// Param: hex SHA-256 over the bars as used.
    pub const BARS_SHA256: &str = "data.sha256";
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
    /// Tag: timeframe, model type and a hash over all of the above but the costs, so that runs on other data are
    /// found without reading the params of all.
    pub const FINGERPRINT: &str = "data.fingerprint";

    /// The params in which two runs must agree for their figures to be compared; costs aside.
    pub fn of_data() -> impl Iterator<Item = &'static str> {
        [SYMBOL, BARS_SHA256].into_iter().chain(EDGES)
    }

    /// The same, and the costs.
    pub fn of_result() -> impl Iterator<Item = &'static str> {
        of_data().chain([COST_BPS])
    }
}

/// The value of the tag [`window_params::FINGERPRINT`], from a run's params.
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

/// What a model and its ancestors were trained and validated on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    known: Vec<Windows>,
    is_complete: bool,
}

/// From the windows of the model and of each ancestor, where `None` stands for one without records.
impl FromIterator<Option<Windows>> for Seen {
    fn from_iter<T: IntoIterator<Item = Option<Windows>>>(models: T) -> Self {
        let mut seen = Self { known: Vec::new(), is_complete: true };
        for windows in models {
            seen.is_complete &= windows.is_some();
            seen.known.extend(windows);
        }
        seen
    }
}

impl Seen {
    /// Whether any part of a window is known to have been seen.
    pub fn touches(&self, symbol: &Symbol, window: Window) -> bool {
        self.known.iter().any(|windows| {
            windows.symbol == *symbol && windows.seen().iter().any(|seen| seen.overlaps(window))
        })
    }

    /// The first moment from which on every bar is new: after the training, validation and test windows of the model
    /// and all ancestors, and one bar more. Of whatever symbol: instruments of one time move together, and one may go
    /// by two names. `None` where no window is recorded.
    pub fn new_from(&self) -> Option<Timestamp> {
        self.known
            .iter()
            .flat_map(|windows| {
                let of_model = [windows.train, windows.validation, windows.test];
                of_model.map(|window| window.extended(windows.timeframe.millis()).end)
            })
            .max()
    }

    /// Whether the windows of the model and all its ancestors are recorded.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Whether a result on a window means anything.
    pub fn judge(&self, symbol: &Symbol, window: Window) -> Honesty {
        self.judge_touched(self.touches(symbol, window))
    }

    /// Whether a result on bars means anything, of which some are known to have been seen, or none is.
    pub fn judge_touched(&self, is_touched: bool) -> Honesty {
        if is_touched {
            Honesty::Contaminated
        } else if self.is_complete {
            Honesty::Clean
        } else {
            Honesty::Unknown
        }
    }
}

/// Judges a model by its own windows and those of its ancestors, where `None` stands for one without records.
pub fn judge(model: &Windows, ancestors: &[Option<Windows>]) -> Honesty {
    let lineage = [Some(model.clone())].into_iter().chain(ancestors.iter().cloned());
    lineage.collect::<Seen>().judge(&model.symbol, model.test)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(start: i64, end: i64) -> Window {
        let at = |bar: i64| Timestamp::from_millis(bar * Timeframe::Hour1.millis());
        Window { start: at(start), end: at(end) }
    }

    /// Windows in bars: train, one purged bar, validation, one purged bar, test.
    fn split(symbol: &str, from: i64, validation: i64, test: i64, end: i64) -> Windows {
        Windows {
            symbol: Symbol::parse(symbol).unwrap(),
            timeframe: Timeframe::Hour1,
            train: window(from, validation - 1),
            validation: window(validation, test - 1),
            test: window(test, end),
        }
    }

    #[test]
    fn windows_read_back_from_their_params() {
        let windows = split("EURUSD", 0, 64, 80, 100);
        let mut params: BTreeMap<String, String> =
            windows.to_params().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        assert_eq!(Windows::from_params(Timeframe::Hour1, &params), Some(windows));
        params.remove("data.test_end");
        assert_eq!(Windows::from_params(Timeframe::Hour1, &params), None);
    }

    #[test]
    fn child_on_the_same_split_is_clean() {
        let parent = split("EURUSD", 0, 64, 80, 100);
        assert_eq!(judge(&parent.clone(), &[Some(parent)]), Honesty::Clean);
    }

    #[test]
    fn child_tested_on_bars_of_the_parents_training_is_contaminated() {
        let parent = split("EURUSD", 0, 64, 80, 100);
        let child = split("EURUSD", 0, 30, 50, 100);
        assert_eq!(judge(&child, &[Some(parent)]), Honesty::Contaminated);
    }

    #[test]
    fn window_that_follows_without_a_bar_between_is_contaminated() {
        let parent = split("EURUSD", 0, 64, 80, 100);
        let mut child = parent.clone();
        child.test = window(79, 100);
        assert_eq!(judge(&child, &[Some(parent)]), Honesty::Contaminated);
    }

    #[test]
    fn bars_of_another_symbol_do_not_contaminate() {
        let parent = split("IBM", 0, 90, 95, 100);
        let child = split("EURUSD", 0, 30, 50, 100);
        assert_eq!(judge(&child, &[Some(parent)]), Honesty::Clean);
    }

    #[test]
    fn new_bars_begin_a_bar_after_the_last_window_of_the_lineage_and_of_the_symbol() {
        let parent = split("EURUSD", 0, 64, 80, 200);
        let child = split("EURUSD", 0, 64, 80, 100);
        let other = split("IBM", 0, 64, 80, 900);
        let seen = |known: &[Windows]| known.iter().cloned().map(Some).collect::<Seen>();
        let both = [parent, child];
        assert_eq!(seen(&both).new_from(), Some(window(201, 202).start));
        assert_eq!(seen(&[&both[..], &[other]].concat()).new_from(), Some(window(901, 902).start));
        assert_eq!(seen(&[]).new_from(), None);
    }

    #[test]
    fn grandparent_without_records_leaves_the_state_unknown() {
        let parent = split("EURUSD", 0, 64, 80, 100);
        assert_eq!(judge(&parent.clone(), &[Some(parent), None]), Honesty::Unknown);
    }

    #[test]
    fn known_contamination_weighs_more_than_a_missing_record() {
        let parent = split("EURUSD", 0, 64, 80, 100);
        let child = split("EURUSD", 0, 30, 50, 100);
        assert_eq!(judge(&child, &[None, Some(parent)]), Honesty::Contaminated);
    }
}
