//! Evidence gathered after a training: a version run over bars that came later than all it knew.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Event, EventDraft, EventKind, RunId, Symbol, VersionKey, Window};

/// What an `evaluated` event tells, as the JSON of its details.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Version of this description.
    pub v: u32,
    /// The instrument of the bars.
    pub symbol: Symbol,
    /// The bars decided on and filled at.
    pub window: Window,
    /// Hex SHA-256 over the bars of the file as used.
    pub bars_sha256: String,
    /// How many bars the window has.
    pub n_bars: usize,
    /// How many of them an earlier evaluation of the version had shown already.
    pub n_shown_before: usize,
    /// Whether everything that the version and its ancestors knew is recorded; if not, some of the bars may not be new.
    pub is_lineage_known: bool,
    /// Basis points of traded notional charged per side.
    pub cost_bps: f64,
    /// By name, without prefix; undefined ones are absent.
    pub metrics: BTreeMap<String, f64>,
    /// Buying and holding over the same bars, likewise.
    pub buy_and_hold: BTreeMap<String, f64>,
    /// The Sharpe ratio per bar of the better of doing nothing and holding.
    pub benchmark_sharpe_per_bar: f64,
    /// Probability that the true Sharpe ratio is above the benchmark's; absent where undefined.
    pub probability: Option<f64>,
}

/// From this probability on that a model beats the better of doing nothing and holding, one speaks of evidence.
pub const EVIDENCE_PROBABILITY: f64 = 0.95;

/// Fewest bars from which anything follows: as many as the shortest test window of a training has.
pub const EVIDENCE_BARS: usize = 51;

impl Evaluation {
    /// Version of the description that this herdbook writes.
    pub const VERSION: u32 = 1;

    /// Whether it is evidence that the model is better than doing nothing and than holding.
    pub fn is_evidence(&self) -> bool {
        self.shortcoming().is_none() && self.probability.is_some_and(|p| p > EVIDENCE_PROBABILITY)
    }

    /// Why nothing follows from it, however high its figures are.
    pub fn shortcoming(&self) -> Option<String> {
        if !self.is_lineage_known {
            Some("unknown whether its bars were new".to_owned())
        } else if self.n_bars < EVIDENCE_BARS {
            Some(format!("fewer than {EVIDENCE_BARS} bars"))
        } else if self.cost_bps <= 0.0 {
            Some("without costs".to_owned())
        } else {
            None
        }
    }

    /// The event of it.
    pub fn event(&self, key: &VersionKey, run_id: Option<&RunId>) -> EventDraft {
        let details = serde_json::to_value(self).expect("plain numbers and texts are JSON");
        EventDraft {
            name: Some(key.name.clone()),
            version: Some(key.version),
            run_id: run_id.cloned(),
            ..EventDraft::new(EventKind::Evaluated, &details)
        }
    }

    /// Reads it back; `None` of another kind of event, or one from a later herdbook.
    pub fn of(event: &Event) -> Option<Self> {
        if event.what.kind != EventKind::Evaluated {
            return None;
        }
        let read: Self = serde_json::from_str(&event.what.details).ok()?;
        (read.v == Self::VERSION).then_some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ActContext, Actor, Channel, GENESIS_HASH, ModelName, Timestamp, VersionNumber};

    /// As version 1 is stored: stores hold such events for good.
    const FROZEN: &str = r#"{"v":1,"symbol":"EURUSD","window":{"start":"2018-01-01T00:00:00Z","end":"2018-02-01T00:00:00Z"},"bars_sha256":"ab","n_bars":500,"n_shown_before":0,"is_lineage_known":true,"cost_bps":1.0,"metrics":{"total_return":0.01},"buy_and_hold":{},"benchmark_sharpe_per_bar":0.0,"probability":0.97}"#;

    #[test]
    fn frozen_sample_of_version_1_is_read_and_written_back() {
        let evaluation: Evaluation = serde_json::from_str(FROZEN).unwrap();
        assert!(evaluation.is_evidence());
        let key = VersionKey {
            name: ModelName::parse("1H_trading_model").unwrap(),
            version: VersionNumber::FIRST,
        };
        let context = ActContext {
            act_id: "a".to_owned(),
            actor: Actor::parse("ada").unwrap(),
            channel: Channel::Cli,
        };
        let draft = evaluation.event(&key, None);
        let at = Timestamp::from_millis(0);
        let event = Event::seal(1, at, &context, draft, GENESIS_HASH);
        assert_eq!(Evaluation::of(&event), Some(evaluation));
    }

    #[test]
    fn bars_that_may_have_been_known_are_no_evidence() {
        let mut evaluation: Evaluation = serde_json::from_str(FROZEN).unwrap();
        evaluation.is_lineage_known = false;
        assert!(!evaluation.is_evidence());
    }

    #[test]
    fn handful_of_bars_is_no_evidence() {
        let mut evaluation: Evaluation = serde_json::from_str(FROZEN).unwrap();
        evaluation.n_bars = EVIDENCE_BARS;
        assert!(evaluation.is_evidence());
        evaluation.n_bars -= 1;
        assert_eq!(evaluation.shortcoming().as_deref(), Some("fewer than 51 bars"));
        assert!(!evaluation.is_evidence());
    }

    #[test]
    fn figure_without_costs_is_no_evidence() {
        let mut evaluation: Evaluation = serde_json::from_str(FROZEN).unwrap();
        evaluation.cost_bps = 0.0;
        assert_eq!(evaluation.shortcoming().as_deref(), Some("without costs"));
        assert!(!evaluation.is_evidence());
    }
}
