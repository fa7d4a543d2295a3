//! The honesty rule: a model is judged only on bars that neither it nor any ancestor was trained on.

use super::windows::{Window, Windows};
use crate::values::closed_set::closed_set;
use crate::values::{Symbol, Timestamp};

closed_set! {
    /// Whether a model's test window is free of bars that it or an ancestor was trained or validated on.
    Honesty, "honesty state" {
        /// The test window holds no such bar.
        Clean = "clean",
        /// The test window holds at least one such bar, so the test results are not valid.
        Contaminated = "contaminated",
        /// No such bar is known, but the windows of the model or of an ancestor are not recorded.
        Unknown = "unknown",
    }
}

/// The recorded windows of a model and its ancestors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineageWindows {
    known: Vec<Windows>,
    is_complete: bool,
}

/// Collects the windows of the model and of each ancestor; `None` stands for one whose windows are not recorded.
impl FromIterator<Option<Windows>> for LineageWindows {
    fn from_iter<T: IntoIterator<Item = Option<Windows>>>(models: T) -> Self {
        let mut lineage = Self { known: Vec::new(), is_complete: true };
        for windows in models {
            lineage.is_complete &= windows.is_some();
            lineage.known.extend(windows);
        }
        lineage
    }
}

impl LineageWindows {
    /// Whether a window overlaps a training or validation window of the lineage for the same symbol.
    ///
    /// Each of those windows counts with one bar more at its end.
    pub fn overlaps(&self, symbol: &Symbol, window: Window) -> bool {
        self.known.iter().any(|windows| {
            windows.symbol == *symbol
                && windows.learned_from().iter().any(|learned| learned.overlaps(window))
        })
    }

    /// The first moment from which on every bar is new to the lineage: one bar after the end of the latest training,
    /// validation or test window. `None` where no window is recorded.
    ///
    /// Windows of all symbols count: instruments move together, and one instrument may have two names.
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

    /// Judges a result on a window of a symbol.
    pub fn judge(&self, symbol: &Symbol, window: Window) -> Honesty {
        self.judge_overlap(self.overlaps(symbol, window))
    }

    /// Judges a result on bars, given whether some of them are known to be in the lineage's windows.
    pub fn judge_overlap(&self, is_overlapping: bool) -> Honesty {
        if is_overlapping {
            Honesty::Contaminated
        } else if self.is_complete {
            Honesty::Clean
        } else {
            Honesty::Unknown
        }
    }
}

/// Judges a model's test window by its own windows and those of its ancestors; `None` stands for an ancestor whose
/// windows are not recorded.
pub fn judge_honesty(model: &Windows, ancestors: &[Option<Windows>]) -> Honesty {
    let lineage = [Some(model.clone())].into_iter().chain(ancestors.iter().cloned());
    lineage.collect::<LineageWindows>().judge(&model.symbol, model.test)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Timeframe;

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
    fn child_on_the_same_split_is_clean() {
        let parent = split("EURUSD", 0, 64, 80, 100);
        assert_eq!(judge_honesty(&parent.clone(), &[Some(parent)]), Honesty::Clean);
    }

    #[test]
    fn child_tested_on_bars_of_the_parents_training_is_contaminated() {
        let parent = split("EURUSD", 0, 64, 80, 100);
        let child = split("EURUSD", 0, 30, 50, 100);
        assert_eq!(judge_honesty(&child, &[Some(parent)]), Honesty::Contaminated);
    }

    #[test]
    fn window_that_follows_without_a_bar_between_is_contaminated() {
        let parent = split("EURUSD", 0, 64, 80, 100);
        let mut child = parent.clone();
        child.test = window(79, 100);
        assert_eq!(judge_honesty(&child, &[Some(parent)]), Honesty::Contaminated);
    }

    #[test]
    fn bars_of_another_symbol_do_not_contaminate() {
        let parent = split("IBM", 0, 90, 95, 100);
        let child = split("EURUSD", 0, 30, 50, 100);
        assert_eq!(judge_honesty(&child, &[Some(parent)]), Honesty::Clean);
    }

    #[test]
    fn new_bars_begin_a_bar_after_the_last_window_of_the_lineage_and_of_the_symbol() {
        let parent = split("EURUSD", 0, 64, 80, 200);
        let child = split("EURUSD", 0, 64, 80, 100);
        let other = split("IBM", 0, 64, 80, 900);
        let seen = |known: &[Windows]| known.iter().cloned().map(Some).collect::<LineageWindows>();
        let both = [parent, child];
        assert_eq!(seen(&both).new_from(), Some(window(201, 202).start));
        assert_eq!(seen(&[&both[..], &[other]].concat()).new_from(), Some(window(901, 902).start));
        assert_eq!(seen(&[]).new_from(), None);
    }

    #[test]
    fn grandparent_without_records_leaves_the_state_unknown() {
        let parent = split("EURUSD", 0, 64, 80, 100);
        assert_eq!(judge_honesty(&parent.clone(), &[Some(parent), None]), Honesty::Unknown);
    }

    #[test]
    fn known_contamination_weighs_more_than_a_missing_record() {
        let parent = split("EURUSD", 0, 64, 80, 100);
        let child = split("EURUSD", 0, 30, 50, 100);
        assert_eq!(judge_honesty(&child, &[None, Some(parent)]), Honesty::Contaminated);
    }
}
