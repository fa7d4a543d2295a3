//! What a training seals of its test for evidence: its files, and which evaluations used the same bars.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::figures::EvidenceFigures;
use super::windows::window_params;
use crate::history::{Event, EventDraft, EventKind};

/// Field of the details of a `run_ended` event that holds a [`RunResult`].
const RESULT: &str = "result";
/// Version of the details of a `run_ended` event with a result. Version 1 holds none.
const DETAILS_VERSION: u32 = 2;

/// The part of a training's test that is not among its params and metrics.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TestBasis {
    /// Lower-case hex SHA-256 of the files that evidence and reports rest on, by their path among the artifacts of the run: the
    /// closes of the bars, the returns of the test, its details, the pictures and the page. Older builds sealed only the
    /// first two.
    pub files: BTreeMap<String, String>,
    /// SHA-256 of the returns of earlier evaluations which have bars of the test window, under whatever name and times.
    /// The training is a try on the bars of these evaluations.
    pub shared_with: Vec<String>,
    /// The number of the last event when the bars were compared. Evaluations after it were not.
    pub compared_until: i64,
    /// The comparison of the test's returns with doing nothing and with holding; `None` for a run of another program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<EvidenceFigures>,
}

/// The result of a training that ended without registering its model, such as that of a member of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// Lower-case hex SHA-256 of the model file.
    pub model_sha256: String,
    /// The params of the run about symbol, bars, windows and costs ([`window_params::sealed`]).
    pub params: BTreeMap<String, String>,
    /// The metrics of the model by name; undefined ones are absent.
    pub metrics: BTreeMap<String, f64>,
    /// What evidence rests on.
    pub test: TestBasis,
}

impl RunResult {
    /// A result with those of the given params that a seal holds, and the finite ones of the metrics.
    pub fn new(
        model_sha256: &str,
        params: &BTreeMap<String, String>,
        metrics: &BTreeMap<String, f64>,
        test: TestBasis,
    ) -> Self {
        let sealed: Vec<&str> = window_params::sealed().collect();
        let mut params = params.clone();
        params.retain(|key, _| sealed.contains(&key.as_str()));
        let mut metrics = metrics.clone();
        metrics.retain(|_, value| value.is_finite());
        Self { model_sha256: model_sha256.to_owned(), params, metrics, test }
    }

    /// Adds the result to the draft of an event `run_ended`.
    #[must_use]
    pub fn in_end(&self, mut draft: EventDraft) -> EventDraft {
        let result = serde_json::to_value(self).expect("plain numbers and texts are JSON");
        let details = serde_json::json!({"v": DETAILS_VERSION, RESULT: result});
        draft.details = details.to_string();
        draft
    }

    /// Reads the result in an event; `None` for an event without one, or with one in a newer format.
    pub fn of(event: &Event) -> Option<Self> {
        if event.what.kind != EventKind::RunEnded {
            return None;
        }
        let mut details: Value = serde_json::from_str(&event.what.details).ok()?;
        serde_json::from_value(details.get_mut(RESULT).map(Value::take)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{ActContext, Channel, GENESIS_HASH};
    use crate::values::{Actor, Timestamp};

    /// Version 1: without a result. Such events stay in stores forever.
    const ENDED_1: &str = r#"{"v":1}"#;
    /// Version 2, as stored.
    const ENDED_2: &str = r#"{"result":{"metrics":{"portfolio/sharpe_per_bar":-0.015625},"model_sha256":"ab","params":{"data.symbol":"EURUSD"},"test":{"compared_until":7,"files":{"data/closes.bin":"cd"},"shared_with":["r1"]}},"v":2}"#;

    fn event(draft: EventDraft) -> Event {
        let actor = Actor::parse("ada").unwrap();
        let context = ActContext { act_id: "a".to_owned(), actor, channel: Channel::Cli };
        Event::seal(7, Timestamp::EXAMPLE, &context, draft, GENESIS_HASH)
    }

    #[test]
    fn frozen_samples_are_read_and_written_back() {
        let result = RunResult::new(
            "ab",
            &[("data.symbol", "EURUSD"), ("ppo.gamma", "0.99")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            &[("portfolio/sharpe_per_bar", -0.015_625), ("portfolio/skew", f64::NAN)]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            TestBasis {
                files: [("data/closes.bin".to_owned(), "cd".to_owned())].into(),
                shared_with: vec!["r1".to_owned()],
                compared_until: 7,
                figures: None,
            },
        );
        let draft = EventDraft::new(EventKind::RunEnded, &Value::Null);
        let ended = event(result.in_end(draft.clone()));
        assert_eq!(ended.what.details, ENDED_2);
        assert_eq!(RunResult::of(&ended), Some(result));
        for details in [ENDED_1, "not JSON", r#"{"v":3,"result":{"other":1}}"#] {
            let old = event(EventDraft { details: details.to_owned(), ..draft.clone() });
            assert_eq!(RunResult::of(&old), None, "{details}");
        }
    }
}
