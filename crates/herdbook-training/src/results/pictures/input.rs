//! The input of a picture: a window and the account over it.

use herdbook_domain::{Honesty, Timeframe, Window};
use herdbook_market::Ledger;

use super::axes;
use crate::environment::market_data::Tape;

/// A model's account over a window, and how to describe it.
pub(crate) struct PictureInput<'a> {
    /// Name of the model in headings.
    pub(crate) model: String,
    pub(crate) window: Window,
    pub(crate) honesty: Honesty,
    pub(crate) cost_bps: f64,
    pub(crate) tape: &'a Tape,
    /// Index of the first bar of the window.
    pub(crate) first: usize,
    /// The model's account over the window.
    pub(crate) ledger: &'a Ledger,
    /// The account of buy-and-hold over the window.
    pub(crate) held: &'a Ledger,
}

impl PictureInput<'_> {
    fn timeframe(&self) -> Timeframe {
        self.tape.bars.timeframe()
    }

    /// Second line of a heading: bars, costs, and whether the bars were seen in training.
    pub(super) fn circumstances(&self) -> String {
        let mark = match self.honesty {
            Honesty::Clean => "bars unseen in training",
            Honesty::Contaminated => "CONTAMINATED: bars seen in training, the result is not valid",
            Honesty::Unknown => "unknown whether an ancestor was trained on these bars",
        };
        let costs = if self.cost_bps > 0.0 {
            format!("costs {} bp per side", self.cost_bps)
        } else {
            "NO COSTS".to_owned()
        };
        format!(
            "{} {}, {} to {}, {costs}; {mark}",
            self.tape.symbol,
            self.timeframe(),
            axes::date(self.window.start.millis()),
            axes::date(self.window.end.millis()),
        )
    }

    /// Open time of bar `idx` of the window, in milliseconds since the Unix epoch.
    pub(super) fn time_of(&self, idx: usize) -> i64 {
        let bars = self.tape.bars.as_slice();
        bars[(self.first + idx).min(bars.len() - 1)].open_time_ms
    }
}
