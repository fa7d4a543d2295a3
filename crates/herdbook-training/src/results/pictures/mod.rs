//! Pictures of a training or backtest as SVG files, which browsers and MLflow's UI can show.
//!
//! The heading of each picture names its content, the bars, the costs, and whether the bars were seen in training.

mod axes;
mod bars;
mod curves;
pub(crate) mod input;

use crate::results::improvement::ImprovementReport;
use crate::results::pictures::input::PictureInput;

/// File name of a picture, and its SVG or the reason why it could not be drawn.
pub type Picture = (&'static str, Result<String, String>);

/// Draws equity, trades and positions over a window.
pub(crate) fn of_window(input: &PictureInput<'_>) -> Vec<Picture> {
    vec![
        ("equity.svg", curves::equity(input)),
        ("trades.svg", curves::trades(input)),
        ("actions.svg", bars::actions(input)),
    ]
}

/// Draws the mean reward on the validation window over timesteps. `points` are pairs of timesteps and reward.
pub(crate) fn of_learning(input: &PictureInput<'_>, points: &[(u64, f64)]) -> Picture {
    ("learning.svg", curves::learning(input, points))
}

/// Draws the improvement of a child over its parent.
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
