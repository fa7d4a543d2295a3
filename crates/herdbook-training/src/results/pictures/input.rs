//! What a picture shows.

use herdbook_domain::{Honesty, Timeframe, Window};
use herdbook_market::Ledger;

use super::axes;

use crate::environment::market_data::Tape;

/// What a model did on a window.
pub(crate) struct PictureInput<'a> {
    /// What to call it.
    pub(crate) model: String,
    pub(crate) window: Window,
    pub(crate) honesty: Honesty,
    pub(crate) cost_bps: f64,
    pub(crate) tape: &'a Tape,
    /// First bar of the window.
    pub(crate) first: usize,
    /// The model over the window.
    pub(crate) ledger: &'a Ledger,
    /// Buying and holding over it.
    pub(crate) held: &'a Ledger,
}

impl PictureInput<'_> {
    fn timeframe(&self) -> Timeframe {
        self.tape.bars.timeframe()
    }

    /// The second line of a heading: on what this was found, and whether it means anything.
    pub(super) fn circumstances(&self) -> String {
        let mark = match self.honesty {
            Honesty::Clean => "bars unseen in training",
            Honesty::Contaminated => "CONTAMINATED: bars seen in training, this means nothing",
            Honesty::Unknown => "unknown whether an ancestor saw these bars",
        };
        let costs = if self.cost_bps > 0.0 {
            format!("costs {} bp a side", self.cost_bps)
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

    /// When a bar of the window opens, in milliseconds.
    pub(super) fn time_of(&self, idx: usize) -> i64 {
        let bars = self.tape.bars.as_slice();
        bars[(self.first + idx).min(bars.len() - 1)].open_time_ms
    }
}
