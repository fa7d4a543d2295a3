//! Results on bars: the model compared with buy and hold and with doing nothing.

use herdbook_domain::{EVIDENCE_BARS, EVIDENCE_PROBABILITY, Honesty, Timestamp};
use herdbook_training::{Baselines, Deflation, Evidence, Performance};
use serde_json::{Value, json};

use crate::format::{self, UNDEFINED, count, number, percent, signed_percent};
use crate::table::{Align, Columns};

/// The performance of model and baselines as a table, followed by the evidence for the model.
pub(crate) fn table(model: &Performance, baselines: &Baselines, evidence: &Evidence) -> String {
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
    format!("{table}{}", certainty(model, evidence))
}

/// The probability and the interval of the model's Sharpe ratio, and the assumptions of the probability. Empty if it is
/// undefined.
fn certainty(model: &Performance, evidence: &Evidence) -> String {
    let Some(probability) = evidence.probability else {
        return String::new();
    };
    let interval = evidence.interval.map_or(String::new(), |interval| {
        format!(
            "95 % interval of the model's Sharpe ratio: {:.2} to {:.2} (block bootstrap)\n",
            interval.low, interval.high
        )
    });
    let found = match evidence.honesty {
        Honesty::Contaminated => "NO EVIDENCE: bars were seen in training",
        Honesty::Unknown => "no evidence: bars may have been seen in training",
        Honesty::Clean if evidence.is_evidence() => "evidence: the probability is above the limit",
        Honesty::Clean if evidence.cost_bps <= 0.0 => "no evidence: no costs were charged",
        Honesty::Clean if evidence.n_bars < EVIDENCE_BARS => "no evidence: too few bars",
        Honesty::Clean => "no evidence: the probability is not above the limit",
    };
    format!(
        "probability that the model beats the better of flat and buy and hold: {probability:.3} (limit {EVIDENCE_PROBABILITY}, {} returns)\n{found}\n{interval}the probability assumes that returns are independent and that no other model was tried\n",
        count(model.n_returns as u64),
    )
}

/// The Sharpe ratio corrected for the number of trials, in two lines. Empty without other trials.
pub(crate) fn deflation(deflation: Option<&Deflation>, at: Timestamp) -> String {
    let Some(found) = deflation else { return String::new() };
    format!(
        "deflated Sharpe ratio: {} ({} trials on overlapping windows as of {}; variance of their Sharpe ratios {} per bar)\neffective number of independent trials: {:.1} (from {} comparable runs); deflated Sharpe ratio with it: {}\n",
        number(found.deflated, 3),
        count(found.n_trials as u64),
        format::moment(at),
        found.variance.map_or(UNDEFINED.to_owned(), |variance| format!("{variance:.2e}")),
        found.n_effective,
        found.n_compared,
        number(found.deflated_effective, 3),
    )
}

/// The evidence as JSON.
pub(crate) fn evidence_to_json(evidence: &Evidence) -> Value {
    json!({
        "benchmark_sharpe_per_bar": evidence.benchmark_sharpe_per_bar,
        "probability": evidence.probability,
        "is_evidence": evidence.is_evidence(),
        "sharpe_interval": evidence.interval.map(|interval| json!({
            "low": interval.low,
            "high": interval.high,
            "mean_block": interval.mean_block,
        })),
    })
}

/// Total returns that differ by less than this count as equal.
const SAME_RETURN: f64 = 1e-6;

/// One sentence on whether the model earned money.
pub(crate) fn verdict(
    model: &Performance,
    baselines: &Baselines,
    (honesty, cost_bps): (Honesty, f64),
) -> &'static str {
    let model = model.total_return;
    let held = baselines.buy_and_hold.total_return;
    match (model, held) {
        _ if honesty == Honesty::Contaminated => {
            "no verdict: bars of this window were seen in training"
        }
        _ if cost_bps <= 0.0 => "no verdict: no costs were charged",
        (Some(model), _) if model <= 0.0 => {
            "after costs the model earned no more than doing nothing"
        }
        _ if honesty == Honesty::Unknown => {
            "no verdict: it is not recorded whether an ancestor saw this window"
        }
        (Some(model), Some(held)) if (model - held).abs() < SAME_RETURN => {
            "after costs the model earned the same as buy and hold"
        }
        (Some(model), Some(held)) if model <= held => {
            "after costs the model earned something, but less than buy and hold"
        }
        (Some(_), _) => {
            "after costs the model beat both baselines on this window; one window is no proof"
        }
        (None, _) => "no verdict: the result is undefined",
    }
}
