//! What bars brought: the model beside buying and holding, and beside doing nothing.

use herdbook_domain::Honesty;
use herdbook_training::{Baselines, Performance};

use crate::format::{count, number, percent, signed_percent};
use crate::table::{Align, Columns};

/// The figures as a table, and what the one among them that is a probability takes for granted.
pub(crate) fn table(model: &Performance, baselines: &Baselines) -> String {
    let sides = [model, &baselines.buy_and_hold, &baselines.flat];
    let mut table = Columns::new(&[
        ("", Align::Left),
        ("model", Align::Right),
        ("buy and hold", Align::Right),
        ("flat", Align::Right),
    ]);
    let mut row = |name: &str, show: &dyn Fn(&Performance) -> String| {
        let mut cells = vec![name.to_owned()];
        cells.extend(sides.iter().map(|side| show(side)));
        table.row(cells);
    };
    row("total return", &|p| signed_percent(p.total_return));
    row("Sharpe ratio, per year", &|p| number(p.sharpe_ratio, 2));
    row("probabilistic Sharpe ratio", &|p| number(p.probabilistic_sharpe_ratio, 3));
    row("Sortino ratio, per year", &|p| number(p.sortino_ratio, 2));
    row("Calmar ratio", &|p| number(p.calmar_ratio, 2));
    row("largest drawdown", &|p| percent(p.max_drawdown));
    row("time in the market", &|p| percent(p.exposure_time));
    row("closed trades", &|p| count(p.total_trades as u64));
    row("win rate", &|p| percent(p.win_rate));
    row("profit factor", &|p| number(p.profit_factor, 2));
    format!("{table}{}", assumptions(model))
}

/// What the probabilistic Sharpe ratio assumes; nothing where there is none.
fn assumptions(model: &Performance) -> String {
    if model.probabilistic_sharpe_ratio.is_none() {
        return String::new();
    }
    format!(
        "probabilistic Sharpe ratio (against 0, n = {}): the chance that the true one is above 0, if returns\n\
         do not depend on each other and no other model was tried\n",
        count(model.n_returns as u64)
    )
}

/// Returns this close are the same.
const SAME_RETURN: f64 = 1e-6;

/// In plain words, whether the model earned anything.
pub(crate) fn verdict(
    model: &Performance,
    baselines: &Baselines,
    honesty: Honesty,
) -> &'static str {
    let model = model.total_return;
    let held = baselines.buy_and_hold.total_return;
    match (model, held) {
        _ if honesty == Honesty::Contaminated => {
            "no verdict: bars of this window were seen in training"
        }
        (Some(model), _) if model <= 0.0 => {
            "after costs the model earned no more than doing nothing"
        }
        _ if honesty == Honesty::Unknown => {
            "no verdict: nobody recorded whether an ancestor saw this window"
        }
        (Some(model), Some(held)) if (model - held).abs() < SAME_RETURN => {
            "after costs the model earned what buy and hold did"
        }
        (Some(model), Some(held)) if model <= held => {
            "after costs the model earned something, but less than buy and hold"
        }
        (Some(_), _) => "after costs the model beat both on this window; one window is no proof",
        (None, _) => "no verdict: the result is undefined",
    }
}
