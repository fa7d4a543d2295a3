//! Evaluations: a version run over bars later than all bars that it and its ancestors knew.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::evidence::record::EvidenceRecord;
use crate::evidence::windows::Window;
use crate::history::{Event, EventDraft, EventKind};
use crate::values::{RunId, Symbol, Timeframe, Timestamp, VersionKey};

/// An evaluation may lack known bars up to this share of its own: vendors differ in quiet hours and holidays. With more, its bars
/// could have been chosen by their result.
const MAX_MISSING: f64 = 0.05;

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
    /// Probability (0 to 1) on these bars alone that the true Sharpe ratio is above the benchmarks'; `None` where it is
    /// undefined.
    pub probability: Option<f64>,
    /// Lower-case hex SHA-256 of the file of closes that is stored with the evaluation, by which its bars are recognised.
    /// Absent in events of older builds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes_sha256: Option<String>,
    /// Jumps of the price that look like splits of shares and were allowed: bar and ratio of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_jumps: Vec<String>,
    /// Number of rows of the file that were left out because their values are not valid; absent for none, and in events of older
    /// builds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub n_bad_rows: usize,
    /// Number of bars between its first and its last one that the register knows from other evaluations and that are missing
    /// here; absent for none, and in events of older builds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub n_missing: usize,
    /// What evidence rests on. Absent in version 1 of the format, which kept no returns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<EvaluationBasis>,
}

/// The part of an evaluation that evidence rests on: kept returns, and all bars so far as one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationBasis {
    /// Lower-case hex SHA-256 of the model file; versions with the same file share one record.
    pub model_sha256: String,
    /// Lower-case hex SHA-256 of the stored returns; the name of their file, see [`Evaluation::returns_artifact`].
    pub returns_sha256: String,
    /// Length of one bar.
    pub timeframe: Timeframe,
    /// The instrument that the version was trained on.
    pub trained_symbol: Option<Symbol>,
    /// Costs of the training in basis points of the traded notional, per side. Lower costs are no evidence.
    pub training_cost_bps: f64,
    /// The first moment that is new to the version; `None` where nothing is known of its lineage.
    pub new_from: Option<Timestamp>,
    /// Returns of earlier evaluations of other models on bars of this one.
    pub shared_with: Vec<String>,
    /// Returns of earlier evaluations, also of this model, that have bars of this one at other times: milliseconds to add to
    /// the times of most of these bars; `None` if it is not the same for them. An evaluation that has bars of its own record at
    /// other times adds nothing to the record.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub moved_by: BTreeMap<String, Option<i64>>,
    /// Returns of earlier evaluations that the same model earned on the bars of this one at other times: it is a copy that
    /// repeats them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repeats: Vec<String>,
    /// Number of different trainings in the register whose test window has bars of the record.
    pub n_trainings: usize,
    /// All bars so far. If this evaluation is no evidence, its bars are not among them.
    pub record: EvidenceRecord,
}

impl Evaluation {
    /// The version of the format that is written.
    pub const VERSION: u32 = 2;

    /// The artifact of the version's run with the returns of an evaluation.
    pub fn returns_artifact(returns_sha256: &str) -> String {
        format!("evaluation/later/{returns_sha256}.npy")
    }

    /// The artifact of the version's run with the closes of an evaluation.
    pub fn closes_artifact(closes_sha256: &str) -> String {
        format!("evaluation/closes/{closes_sha256}.bin")
    }

    /// The instrument of the bars that can be evidence: the one that the version was trained on, if recorded.
    pub fn symbol_of_record(&self) -> &Symbol {
        let trained = self.basis.as_ref().and_then(|basis| basis.trained_symbol.as_ref());
        trained.unwrap_or(&self.symbol)
    }

    /// Why the bars of this evaluation are no evidence, whatever its figures are; `None` where it has no such defect.
    pub fn shortcoming(&self) -> Option<String> {
        if !self.is_lineage_known {
            return Some("unknown whether its bars were new".to_owned());
        }
        if self.cost_bps <= 0.0 {
            return Some("without costs".to_owned());
        }
        let Some(basis) = &self.basis else {
            return Some(
                "recorded by an older herdbook, which kept no returns: evaluate again".to_owned(),
            );
        };
        if self.cost_bps < basis.training_cost_bps {
            return Some(format!(
                "costs of {} bp are below those of the training, {} bp",
                self.cost_bps, basis.training_cost_bps
            ));
        }
        if self.n_missing as f64 > MAX_MISSING * self.n_bars as f64 {
            return Some(format!(
                "{} bars that the register knows are missing between its first and its last one",
                self.n_missing
            ));
        }
        let trained = basis.trained_symbol.as_ref().filter(|trained| **trained != self.symbol)?;
        Some(format!("bars of {}, but the model was trained on {trained}", self.symbol))
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

    /// Reads an evaluation back from its event; `None` for another kind of event or a newer version of the format.
    pub fn of(event: &Event) -> Option<Self> {
        if event.what.kind != EventKind::Evaluated {
            return None;
        }
        let read: Self = serde_json::from_str(&event.what.details).ok()?;
        (1..=Self::VERSION).contains(&read.v).then_some(read)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_zero(n: &usize) -> bool {
    *n == 0
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::figures::tests::figures;
    use super::super::record::Looks;
    use super::*;
    use crate::history::{ActContext, Channel, GENESIS_HASH};
    use crate::values::{Actor, ModelName, VersionNumber};

    /// Version 1 as stored. Such events stay in stores forever and must stay readable.
    const FROZEN_1: &str = r#"{"v":1,"symbol":"EURUSD","window":{"start":"2018-01-01T00:00:00Z","end":"2018-02-01T00:00:00Z"},"bars_sha256":"ab","n_bars":500,"n_shown_before":0,"is_lineage_known":true,"cost_bps":1.0,"metrics":{"total_return":0.01},"buy_and_hold":{},"benchmark_sharpe_per_bar":0.0,"probability":0.97}"#;

    /// Version 2 as stored.
    const FROZEN_2: &str = r#"{"v":2,"symbol":"EURUSD","window":{"start":"2018-01-01T00:00:00Z","end":"2018-02-01T00:00:00Z"},"bars_sha256":"ab","n_bars":500,"n_shown_before":0,"is_lineage_known":true,"cost_bps":1.0,"metrics":{"total_return":0.01},"buy_and_hold":{},"benchmark_sharpe_per_bar":0.0,"probability":0.97,"basis":{"model_sha256":"m1","returns_sha256":"r1","timeframe":"1H","trained_symbol":"EURUSD","training_cost_bps":1.0,"new_from":"2018-01-01T00:00:00Z","shared_with":[],"n_trainings":0,"record":{"windows":[{"start":"2018-01-01T00:00:00Z","end":"2018-02-01T00:00:00Z"}],"joined":["r1"],"looks":{"n_grown":1,"n_first":499,"n_now":499,"n_apart":0},"figures":{"n_returns":499,"n_trades":40,"bars_per_year":6261.4,"probability":0.97,"flat":{"difference":0.1,"low":0.01,"high":0.2},"buy_and_hold":{"difference":0.1,"low":0.01,"high":0.2},"block":2,"without_best_bar":{"first":7,"n_returns":1,"probability":0.96},"without_best_trade":{"first":7,"n_returns":9,"probability":0.95},"among":[[1,0.97],[2,0.9]]}}}}"#;

    /// An evaluation of model `m1` over January 2018 with returns `r1`.
    pub(crate) fn evaluation(probability: f64) -> Evaluation {
        let mut evaluation: Evaluation = serde_json::from_str(FROZEN_2).unwrap();
        evaluation.basis.as_mut().unwrap().record.figures = figures(probability);
        evaluation
    }

    pub(crate) fn evaluation_of_version_1() -> Evaluation {
        serde_json::from_str(FROZEN_1).unwrap()
    }

    #[test]
    fn frozen_samples_are_read_and_written_back() {
        for sample in [FROZEN_1, FROZEN_2] {
            let evaluation: Evaluation = serde_json::from_str(sample).unwrap();
            assert_eq!(serde_json::to_string(&evaluation).unwrap(), sample);
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
    }

    #[test]
    fn looks_of_the_sample_are_one_try() {
        let record = evaluation(0.97).basis.unwrap().record;
        assert_eq!(record.looks, Looks { n_grown: 1, n_first: 499, n_now: 499, n_apart: 0 });
    }

    #[test]
    fn each_shortcoming_is_told() {
        let told = |change: &dyn Fn(&mut Evaluation)| {
            let mut evaluation = evaluation(0.97);
            change(&mut evaluation);
            evaluation.shortcoming().unwrap_or_default()
        };
        assert_eq!(told(&|_| ()), "");
        assert_eq!(told(&|it| it.is_lineage_known = false), "unknown whether its bars were new");
        assert_eq!(told(&|it| it.cost_bps = 0.0), "without costs");
        assert_eq!(
            told(&|it| it.cost_bps = 0.01),
            "costs of 0.01 bp are below those of the training, 1 bp"
        );
        assert_eq!(
            told(&|it| it.symbol = Symbol::parse("SPY").unwrap()),
            "bars of SPY, but the model was trained on EURUSD"
        );
        assert_eq!(told(&|it| it.n_missing = 25), "");
        assert_eq!(
            told(&|it| it.n_missing = 26),
            "26 bars that the register knows are missing between its first and its last one"
        );
        assert_eq!(
            told(&|it| it.basis = None),
            "recorded by an older herdbook, which kept no returns: evaluate again"
        );
    }
}
