//! Evaluations of a version after its training, as recorded in the history, and the evidence that follows from them.

use herdbook_domain::{EVIDENCE_PROBABILITY, Evaluation, Standing, Timestamp, VersionKey};
use herdbook_store::Store;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::format::{self, UNDEFINED, count, number, signed_percent};
use crate::terminal::one_line;

/// The evaluations of a version since its training, with their times, oldest first, and the evidence from all of them.
pub(crate) struct Since {
    evaluations: Vec<(Timestamp, Evaluation)>,
    standing: Option<Standing>,
}

impl Since {
    pub(crate) fn training_of(store: &Store, key: &VersionKey) -> Result<Self, Failure> {
        let evaluations = store.evaluations(key)?;
        // The standing rests on all evaluations of the register, so it is read only for a version that has one.
        let standing = if evaluations.is_empty() { None } else { store.standing(key)? };
        Ok(Self { evaluations, standing })
    }

    /// The evaluations. Evidence follows from the newest one, whose record has the bars of all.
    pub(crate) fn to_json(&self) -> Value {
        let newest = self.evaluations.len().saturating_sub(1);
        let is_evidence = self.standing.as_ref().is_some_and(Standing::is_evidence);
        let with_time = self.evaluations.iter().enumerate().map(|(idx, (at, evaluation))| {
            json!({
                "at": at,
                "is_evidence": is_evidence && idx == newest,
                "evaluation": evaluation,
            })
        });
        with_time.collect()
    }

    pub(crate) fn standing_to_json(&self) -> Value {
        self.standing.as_ref().map_or(Value::Null, standing_to_json)
    }

    /// One line for each evaluation, and one for the evidence from all.
    pub(crate) fn lines(&self) -> String {
        let Some(standing) = &self.standing else {
            return "evidence since training: none".to_owned();
        };
        let lines: Vec<String> =
            self.evaluations.iter().map(|(at, found)| line(*at, found)).collect();
        format!("evidence since training: {}\n  {}", summary(standing), lines.join("\n  "))
    }

    /// The evidence, short enough for a table cell.
    pub(crate) fn short(&self) -> String {
        self.standing.as_ref().map_or_else(
            || "none".to_owned(),
            |standing| {
                format!("{} ({} bars)", number(standing.probability, 3), count(n_bars(standing)))
            },
        )
    }
}

/// The evidence as JSON.
pub(crate) fn standing_to_json(standing: &Standing) -> Value {
    json!({
        "probability": standing.probability,
        "n_tries": standing.n_tries,
        "n_bars": n_bars(standing),
        "is_evidence": standing.is_evidence(),
        "objection": standing.objection(EVIDENCE_PROBABILITY),
    })
}

/// The evidence in one line.
pub(crate) fn summary(standing: &Standing) -> String {
    let tries = match standing.n_tries {
        1 => "the only try on these bars".to_owned(),
        n => format!("as the best of {} tries on these bars", count(n)),
    };
    let verdict = match standing.objection(EVIDENCE_PROBABILITY) {
        None => "evidence".to_owned(),
        Some(objection) => format!("no evidence, {objection}"),
    };
    format!(
        "probability {} from {} bars, {tries}: {verdict}",
        number(standing.probability, 3),
        count(n_bars(standing)),
    )
}

/// Number of returns in the record of all evaluations.
fn n_bars(standing: &Standing) -> u64 {
    let basis = standing.newest.basis.as_ref();
    basis.map_or(0, |basis| basis.record.figures.n_returns as u64)
}

fn line(at: Timestamp, found: &Evaluation) -> String {
    let why = found.shortcoming().map(|why| format!("; does not count: {why}")).unwrap_or_default();
    let bad = match found.n_bad_rows {
        0 => String::new(),
        n => format!(", {} bad rows left out", count(n as u64)),
    };
    one_line(&format!(
        "{} · {} to {}, {} bars of {}{bad}, costs {} bp: return {}, Sharpe {}, probability {} on these bars alone{why}",
        format::moment(at),
        format::moment(found.window.start),
        format::moment(found.window.end),
        count(found.n_bars as u64),
        found.symbol,
        found.cost_bps,
        signed_percent(found.metrics.get("total_return").copied()),
        found.metrics.get("sharpe_ratio").map_or(UNDEFINED.to_owned(), |s| format!("{s:.2}")),
        number(found.probability, 3),
    ))
}
