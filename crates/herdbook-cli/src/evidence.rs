//! Evaluations of a version after its training, as recorded in the history.

use herdbook_domain::{Evaluation, Timestamp, VersionKey};
use herdbook_store::Store;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::format::{self, UNDEFINED, count, number, signed_percent};
use crate::terminal::one_line;

/// The evaluations of a version since its training, with their times, oldest first.
pub(crate) struct Since(Vec<(Timestamp, Evaluation)>);

impl Since {
    pub(crate) fn training_of(store: &Store, key: &VersionKey) -> Result<Self, Failure> {
        Ok(Self(store.evaluations(key)?))
    }

    pub(crate) fn to_json(&self) -> Value {
        let with_time = self.0.iter().map(|(at, evaluation)| {
            json!({"at": at, "is_evidence": evaluation.is_evidence(), "evaluation": evaluation})
        });
        with_time.collect()
    }

    /// One line for each evaluation.
    pub(crate) fn lines(&self) -> String {
        if self.0.is_empty() {
            return "evidence since training: none".to_owned();
        }
        let lines: Vec<String> = self.0.iter().map(|(at, found)| line(*at, found)).collect();
        format!("evidence since training:\n  {}", lines.join("\n  "))
    }

    /// The newest evaluation, short enough for a table cell.
    pub(crate) fn short(&self) -> String {
        self.0.last().map_or_else(
            || "none".to_owned(),
            |(_, found)| {
                format!("{} ({} bars)", number(found.probability, 3), count(found.n_bars as u64))
            },
        )
    }
}

fn line(at: Timestamp, found: &Evaluation) -> String {
    let verdict = if found.is_evidence() { "evidence" } else { "no evidence" };
    let why = found.shortcoming().map(|why| format!(", {why}")).unwrap_or_default();
    one_line(&format!(
        "{} · {} to {}, {} bars of {}, costs {} bp: return {}, Sharpe {}, probability {} of beating flat and buy and hold: {verdict}{why}",
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
