//! Evaluations: a version run over bars later than all bars that it and its ancestors knew.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::evidence::windows::Window;
use crate::history::{Event, EventDraft, EventKind};
use crate::values::{RunId, Symbol, VersionKey};

/// The result of an evaluation, stored as the details of an `evaluated` event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Version of this format; see [`Evaluation::VERSION`].
    pub v: u32,
    /// The instrument of the bars.
    pub symbol: Symbol,
    /// The window of the bars.
    pub window: Window,
    /// Lower-case hex SHA-256 over the bars of the file as used.
    pub bars_sha256: String,
    /// Number of bars in the window.
    pub n_bars: usize,
    /// Number of these bars that an earlier evaluation of the version had already used.
    pub n_shown_before: usize,
    /// Whether all windows of the version and its ancestors are recorded. If not, some of the bars may not be new.
    pub is_lineage_known: bool,
    /// Costs in basis points of the traded notional, per side.
    pub cost_bps: f64,
    /// Metrics of the version by name, without prefix; undefined ones are absent.
    pub metrics: BTreeMap<String, f64>,
    /// The same metrics for buying and holding over the same bars.
    pub buy_and_hold: BTreeMap<String, f64>,
    /// Sharpe ratio per bar of the benchmark: 0 for doing nothing, or that of buying and holding, if higher.
    pub benchmark_sharpe_per_bar: f64,
    /// Probability (0 to 1) that the true Sharpe ratio is above the benchmark's; `None` where it is undefined.
    pub probability: Option<f64>,
    /// Lower-case hex SHA-256 of the file of closes that is stored with the evaluation, by which its bars are recognised.
    /// Absent in events of older builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes_sha256: Option<String>,
    /// Jumps of the price that look like splits of shares and were allowed: bar and ratio of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_jumps: Vec<String>,
}

/// An evaluation is evidence above this probability of beating the benchmark.
pub const EVIDENCE_PROBABILITY: f64 = 0.95;

/// An evaluation of fewer bars is no evidence. The shortest test window of a training has as many.
pub const EVIDENCE_BARS: usize = 51;

impl Evaluation {
    /// The version of the format that is written.
    pub const VERSION: u32 = 1;

    /// Whether this is evidence that the model is better than both doing nothing and buying and holding: no
    /// [shortcoming](Self::shortcoming), and a probability above [`EVIDENCE_PROBABILITY`].
    pub fn is_evidence(&self) -> bool {
        self.shortcoming().is_none() && self.probability.is_some_and(|p| p > EVIDENCE_PROBABILITY)
    }

    /// Why the evaluation is no evidence, whatever its figures are; `None` where it has no such defect.
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

    /// The event that records the evaluation.
    pub fn event(&self, key: &VersionKey, run_id: Option<&RunId>) -> EventDraft {
        let details = serde_json::to_value(self).expect("plain numbers and texts are JSON");
        EventDraft {
            name: Some(key.name.clone()),
            version: Some(key.version),
            run_id: run_id.cloned(),
            ..EventDraft::new(EventKind::Evaluated, &details)
        }
    }

    /// Reads an evaluation back from its event; `None` for another kind of event or another version of the format.
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
    use crate::history::{ActContext, Channel, GENESIS_HASH};
    use crate::values::{Actor, ModelName, Timestamp, VersionNumber};

    /// Version 1 as stored. Such events stay in stores forever and must stay readable.
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
