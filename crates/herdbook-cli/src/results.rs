//! What bars brought: the model beside buying and holding, and beside doing nothing.

use herdbook_domain::{EVIDENCE_BARS, EVIDENCE_PROBABILITY, Honesty, Timestamp};
use herdbook_training::{Baselines, Deflation, Evidence, Performance};
use serde_json::{Value, json};

use crate::format::{self, UNDEFINED, count, number, percent, signed_percent};
use crate::table::{Align, Columns};

/// The figures as a table, and how sure the model's are.
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

/// How sure the Sharpe ratio is, and what that takes for granted; nothing where there is none.
fn certainty(model: &Performance, evidence: &Evidence) -> String {
    let Some(probability) = evidence.probability else {
        return String::new();
    };
    let interval = evidence.interval.map_or(String::new(), |interval| {
        format!(
            ", 95 % interval of its Sharpe ratio {:.2} to {:.2} (block bootstrap)",
            interval.low, interval.high
        )
    });
    let found = match evidence.honesty {
        Honesty::Contaminated => "NO EVIDENCE, bars were seen in training",
        Honesty::Unknown => "no evidence, bars may have been seen in training",
        Honesty::Clean if evidence.is_evidence() => "evidence",
        Honesty::Clean if evidence.cost_bps <= 0.0 => "no evidence, for no costs were charged",
        Honesty::Clean if evidence.n_bars < EVIDENCE_BARS => "no evidence, too few bars for any",
        Honesty::Clean => "no evidence",
    };
    format!(
        "{found}: probability {probability:.3} that the model is better than the better of flat and buy and hold\n         (more than {EVIDENCE_PROBABILITY} would be evidence; n = {}){interval};\n         this takes returns for independent, and the model for the only one tried\n",
        count(model.n_returns as u64),
    )
}

/// The figure among all that were tried, in a line or two; nothing where it is the only one.
pub(crate) fn deflation(deflation: Option<&Deflation>, at: Timestamp) -> String {
    let Some(found) = deflation else { return String::new() };
    format!(
        "deflated Sharpe ratio {} (now, {}): {} trials on overlapping windows, variance {} per bar,\n         as good as {:.1} independent ones ({} compared; {} deflated by those)\n",
        number(found.deflated, 3),
        format::moment(at),
        count(found.n_trials as u64),
        found.variance.map_or(UNDEFINED.to_owned(), |variance| format!("{variance:.2e}")),
        found.n_effective,
        found.n_compared,
        number(found.deflated_effective, 3),
    )
}

/// The probability and the interval as JSON.
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

/// Returns this close are the same.
const SAME_RETURN: f64 = 1e-6;

/// In plain words, whether the model earned anything.
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
