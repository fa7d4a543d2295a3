//! Pictures of a finished training, as SVG among its artifacts: legible in MLflow's UI and in any browser.
//!
//! Each says in its heading what it shows, on which bars, at which costs, and whether they were seen in training.

mod axes;
mod bars;
mod curves;
pub(crate) mod input;

use crate::results::improvement::ImprovementReport;
use crate::results::pictures::input::PictureInput;

/// A picture's file name, and its SVG or why it cannot be drawn.
pub type Picture = (&'static str, Result<String, String>);

/// Equity, trades and positions.
pub(crate) fn of_window(input: &PictureInput<'_>) -> Vec<Picture> {
    vec![
        ("equity.svg", curves::equity(input)),
        ("trades.svg", curves::trades(input)),
        ("actions.svg", bars::actions(input)),
    ]
}

/// Mean reward on the validation window, by timesteps.
pub(crate) fn of_learning(input: &PictureInput<'_>, points: &[(u64, f64)]) -> Picture {
    ("learning.svg", curves::learning(input, points))
}

/// The child beside its parent.
pub(crate) fn of_improvement(input: &PictureInput<'_>, report: &ImprovementReport) -> Picture {
    ("improvement.svg", bars::improvement(input, report))
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_of_users_stays_text() {
        let drawn = super::axes::picture("<script>&\"", "x", |_| Ok(())).unwrap();
        assert!(drawn.contains("&lt;script&gt;&amp;") && !drawn.contains("<script>"), "{drawn}");
    }
}
