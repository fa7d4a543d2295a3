//! Pictures of a finished training, as SVG among its artifacts: legible in MLflow's UI and in any browser.
//!
//! Each says in its heading what it shows, on which bars, at which costs, and whether they were seen in training.

mod axes;
mod bars;
mod curves;

use herdbook_domain::{Honesty, Timeframe, Window};
use herdbook_market::Ledger;

use crate::environment::market_data::Tape;
use crate::results::improvement::ImprovementReport;

/// A picture's file name, and its SVG or why it cannot be drawn.
pub type Picture = (&'static str, Result<String, String>);

/// What a model did on a window.
pub(crate) struct Story<'a> {
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

/// Equity, trades and positions.
pub(crate) fn of_window(story: &Story<'_>) -> Vec<Picture> {
    vec![
        ("equity.svg", curves::equity(story)),
        ("trades.svg", curves::trades(story)),
        ("actions.svg", bars::actions(story)),
    ]
}

/// Mean reward on the validation window, by timesteps.
pub(crate) fn of_learning(story: &Story<'_>, points: &[(u64, f64)]) -> Picture {
    ("learning.svg", curves::learning(story, points))
}

/// The child beside its parent.
pub(crate) fn of_improvement(story: &Story<'_>, report: &ImprovementReport) -> Picture {
    ("improvement.svg", bars::improvement(story, report))
}

impl Story<'_> {
    fn timeframe(&self) -> Timeframe {
        self.tape.bars.timeframe()
    }

    /// The second line of a heading: on what this was found, and whether it means anything.
    fn circumstances(&self) -> String {
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
    fn time_of(&self, idx: usize) -> i64 {
        let bars = self.tape.bars.as_slice();
        bars[(self.first + idx).min(bars.len() - 1)].open_time_ms
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_of_users_stays_text() {
        let drawn = super::axes::picture("<script>&\"", "x", |_| Ok(())).unwrap();
        assert!(drawn.contains("&lt;script&gt;&amp;") && !drawn.contains("<script>"), "{drawn}");
    }
}
