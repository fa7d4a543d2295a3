//! How sure a result is: the probability, the intervals, and the correction for the number of trials.

use herdbook_domain::{
    EVIDENCE_PROBABILITY, EvidenceFigures, Honesty, LeftOut, SharpeGap, Timestamp,
};
use herdbook_training::{Deflation, Evidence};
use serde_json::{Value, json};

use crate::format::{self, UNDEFINED, count, number};

/// The probability, the intervals, and why the result is no evidence. Empty if the probability is undefined.
pub(crate) fn certainty(evidence: &Evidence) -> String {
    let figures = &evidence.figures;
    let Some(single) = figures.probability else {
        return "no evidence: the probability is undefined\n".to_owned();
    };
    let verdict = match evidence.objection() {
        None => "evidence: the probability is above the limit".to_owned(),
        Some(objection) if evidence.honesty == Honesty::Contaminated => {
            format!("NO EVIDENCE: {objection}")
        }
        Some(objection) => format!("no evidence: {objection}"),
    };
    let among = match evidence.n_tries {
        1 => "the probability assumes that no other model was tried".to_owned(),
        n => format!(
            "as the best of {} tries on these bars the probability is {}",
            count(n),
            number(evidence.probability(), 3)
        ),
    };
    let without = |left_out: Option<LeftOut>| {
        left_out.map_or(UNDEFINED.to_owned(), |left_out| number(left_out.probability, 3))
    };
    format!(
        "probability that the model beats both flat and buy and hold: {single:.3} (limit {EVIDENCE_PROBABILITY}, {} returns, {} trades)\n{}without its best bar it is {}, without its best trade {}\n{among}\n{verdict}\n",
        count(figures.n_returns as u64),
        count(figures.n_trades as u64),
        intervals(figures),
        without(figures.without_best_bar),
        without(figures.without_best_trade),
    )
}

/// The intervals of the differences of Sharpe ratios, in one line. Empty without bars per year.
fn intervals(figures: &EvidenceFigures) -> String {
    let Some(scale) = figures.bars_per_year.map(f64::sqrt) else { return String::new() };
    let of = |gap: SharpeGap| format!("{:.2} to {:.2}", gap.low * scale, gap.high * scale);
    let mut intervals: Vec<String> =
        figures.flat.map(|gap| format!("flat {}", of(gap))).into_iter().collect();
    intervals.extend(figures.buy_and_hold.map(|gap| format!("buy and hold {}", of(gap))));
    format!(
        "90% intervals of the lead in Sharpe ratio per year, over {} (block bootstrap)\n",
        intervals.join(", over ")
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

/// The probability of beating both benchmarks as the best of all tries, in one line. Empty where it is unknown.
pub(crate) fn probability_among(deflation: Option<&Deflation>) -> String {
    let known = deflation.and_then(|found| Some((found, found.probability?)));
    known.map_or_else(String::new, |(found, probability)| {
        format!(
            "probability that the model beats both flat and buy and hold on its test window, as the best of {} tries: {probability:.3}\n",
            count(found.n_tries)
        )
    })
}

/// The evidence as JSON.
pub(crate) fn evidence_to_json(evidence: &Evidence) -> Value {
    json!({
        "benchmark_sharpe_per_bar": evidence.benchmark_sharpe_per_bar,
        "probability": evidence.probability(),
        "n_tries": evidence.n_tries,
        "is_evidence": evidence.is_evidence(),
        "objection": evidence.objection(),
        "figures": evidence.figures,
    })
}
