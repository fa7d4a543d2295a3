//! Sealed facts: what rules rest on, copied into the event that registers or adopts a version.
//!
//! Any MLflow client can change tags, metrics and files after the registration. Events never change, so a rule that reads
//! a seal decides on the facts of its moment.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::honesty::Honesty;
use super::tested::TestBasis;
use super::windows::{Windows, data_fingerprint, window_params};
use crate::history::{Event, EventDraft, EventKind};
use crate::values::closed_set::closed_set;
use crate::values::{ModelType, RunId, Symbol, Timeframe, Timestamp, VersionKey};

/// Field of an event's details that holds a [`Sealed`].
const FIELD: &str = "sealed";
/// Field of an `adopted` event's details that holds the [`SealOrigin`].
const ORIGIN: &str = "origin";
/// Version of the details of the events `registered` and `adopted` that hold a seal. Version 1 holds none.
const DETAILS_VERSION: u32 = 2;

closed_set! {
    /// How a version came to its seal.
    SealOrigin, "origin of a seal" {
        /// It was sealed when herdbook registered it.
        Registration = "registration",
        /// An older herdbook registered it without a seal. The first act that rested on it sealed what MLflow held then.
        OlderHerdbook = "older_herdbook",
        /// Another program registered it. What MLflow held was sealed at its adoption or import.
        Elsewhere = "elsewhere",
    }
}

impl SealOrigin {
    /// The words for facts that were sealed at a moment after the registration; `None` for those sealed with it.
    pub fn reservation(self, at: Timestamp) -> Option<String> {
        let by = match self {
            Self::Registration => return None,
            Self::OlderHerdbook => "an older herdbook",
            Self::Elsewhere => "another program",
        };
        Some(format!("sealed on {at}, after registration by {by}"))
    }
}

/// The facts of a version that rules rest on. [`Sealed::VERSION`] is the version of the stored form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sealed {
    /// Version of this form.
    pub v: u32,
    /// When the facts were read.
    pub at: Timestamp,
    /// MLflow's `source` of the version.
    pub source: Option<String>,
    /// MLflow's `storage_location` of the version: the folder that MLflow serves. Without one it serves the source.
    pub storage_location: Option<String>,
    /// Length of one bar.
    pub timeframe: Option<Timeframe>,
    /// How the model was trained.
    pub model_type: Option<ModelType>,
    /// The parent's run; `None` for a base model.
    pub parent: Option<RunId>,
    /// Whether the test window is honest.
    pub honesty: Honesty,
    /// Timesteps that the model and its ancestors were trained for.
    pub total_timesteps: Option<u64>,
    /// The params of the run about symbol, bars, windows and costs ([`window_params::sealed`]); absent ones are missing.
    pub params: BTreeMap<String, String>,
    /// The last finite value of each metric of the run, by name.
    pub metrics: BTreeMap<String, SealedMetric>,
    /// Lower-case hex SHA-256 of every file in the folder that MLflow serves, by its path relative to that folder, with `/`
    /// between folders.
    pub files: BTreeMap<String, String>,
    /// Why the files could not be hashed; `None` if they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files_problem: Option<String>,
    /// What evidence rests on of the run's test. Absent in seals of older builds, and of runs of other programs without windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<TestBasis>,
}

/// The value of a metric. Its stored form is the array of value and step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "(f64, i64)", into = "(f64, i64)")]
pub struct SealedMetric {
    /// The value; finite.
    pub value: f64,
    /// Number of training steps before it.
    pub step: i64,
}

/// The seal of a version, read from its history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Seal {
    /// The number of the event that holds it.
    pub event_id: i64,
    /// How the version came to it.
    pub origin: SealOrigin,
    /// The version.
    #[serde(skip)]
    pub key: VersionKey,
    /// The version's run; `None` for a version without one.
    pub run_id: Option<RunId>,
    /// The facts.
    #[serde(flatten)]
    pub facts: Sealed,
}

/// An event whose seal cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the seal in event {event_id} cannot be read ({problem})")]
pub struct UnreadableSeal {
    /// The number of the event.
    pub event_id: i64,
    /// What is wrong.
    pub problem: String,
}

impl From<(f64, i64)> for SealedMetric {
    fn from((value, step): (f64, i64)) -> Self {
        Self { value, step }
    }
}

impl From<SealedMetric> for (f64, i64) {
    fn from(metric: SealedMetric) -> Self {
        (metric.value, metric.step)
    }
}

impl Sealed {
    /// The version of the form that is written.
    pub const VERSION: u32 = 1;

    /// Facts of which nothing is known.
    pub fn empty(at: Timestamp) -> Self {
        Self {
            v: Self::VERSION,
            at,
            source: None,
            storage_location: None,
            timeframe: None,
            model_type: None,
            parent: None,
            honesty: Honesty::Unknown,
            total_timesteps: None,
            params: BTreeMap::new(),
            metrics: BTreeMap::new(),
            files: BTreeMap::new(),
            files_problem: None,
            test: None,
        }
    }

    /// The value of a metric.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.get(name).map(|metric| metric.value)
    }

    /// The values of all metrics, by name.
    pub fn metric_values(&self) -> BTreeMap<String, f64> {
        self.metrics.iter().map(|(name, metric)| (name.clone(), metric.value)).collect()
    }

    /// The instrument.
    pub fn symbol(&self) -> Option<Symbol> {
        Symbol::parse(self.params.get(window_params::SYMBOL)?).ok()
    }

    /// The windows of training, validation and test; `None` where one is missing or invalid.
    pub fn windows(&self) -> Option<Windows> {
        Windows::from_params(self.timeframe?, &self.params)
    }

    /// The value of [`window_params::FINGERPRINT`] for these facts; `None` without a timeframe and a model type.
    pub fn fingerprint(&self) -> Option<String> {
        Some(data_fingerprint(self.timeframe?, self.model_type?, &self.params))
    }

    /// Adds the facts to the draft of an event `registered`.
    #[must_use]
    pub fn in_registration(&self, draft: EventDraft) -> EventDraft {
        self.put_into(draft, None)
    }

    /// Adds the facts to the draft of an event `adopted`.
    #[must_use]
    pub fn in_adoption(&self, draft: EventDraft, origin: SealOrigin) -> EventDraft {
        self.put_into(draft, Some(origin))
    }

    fn put_into(&self, mut draft: EventDraft, origin: Option<SealOrigin>) -> EventDraft {
        // Every draft is made with an object as its details.
        let mut details: Value = serde_json::from_str(&draft.details).unwrap_or_default();
        details["v"] = DETAILS_VERSION.into();
        if let Some(origin) = origin {
            details[ORIGIN] = origin.as_str().into();
        }
        details[FIELD] = serde_json::to_value(self).expect("plain numbers and texts are JSON");
        draft.details = details.to_string();
        draft
    }
}

impl Seal {
    /// Reads the seal in an event; `None` for an event without one.
    ///
    /// # Errors
    /// [`UnreadableSeal`] for an event that registers or adopts a version and has details that cannot be read.
    pub fn of(event: &Event) -> Result<Option<Self>, UnreadableSeal> {
        Self::of_draft(event.id, &event.what)
    }

    /// As [`Seal::of`], for the event with this number.
    ///
    /// # Errors
    /// As [`Seal::of`].
    pub fn of_draft(event_id: i64, what: &EventDraft) -> Result<Option<Self>, UnreadableSeal> {
        let (EventKind::Registered | EventKind::Adopted, Some(name), Some(version)) =
            (what.kind, &what.name, what.version)
        else {
            return Ok(None);
        };
        let unreadable = |problem: String| UnreadableSeal { event_id, problem };
        let mut details: Value =
            serde_json::from_str(&what.details).map_err(|error| unreadable(error.to_string()))?;
        let Some(sealed) = details.get_mut(FIELD).map(Value::take) else { return Ok(None) };
        match sealed["v"].as_u64() {
            Some(v) if v == u64::from(Sealed::VERSION) => {}
            v => {
                return Err(unreadable(format!(
                    "its form has version {}, this herdbook knows {}: use the newer herdbook that wrote it",
                    v.map_or("?".to_owned(), |v| v.to_string()),
                    Sealed::VERSION
                )));
            }
        }
        Ok(Some(Self {
            event_id,
            origin: origin(what.kind, &details),
            key: VersionKey { name: name.clone(), version },
            run_id: what.run_id.clone(),
            facts: serde_json::from_value(sealed).map_err(|error| unreadable(error.to_string()))?,
        }))
    }

    /// The seal of a version among its events, oldest first; `None` without one. The first counts: an event that another
    /// program appended later changes nothing.
    ///
    /// # Errors
    /// As [`Seal::of`].
    pub fn among(events: &[Event]) -> Result<Option<Self>, UnreadableSeal> {
        for event in events {
            if let Some(seal) = Self::of(event)? {
                return Ok(Some(seal));
            }
        }
        Ok(None)
    }

    /// When and why the facts were sealed, if that was not at the registration.
    pub fn reservation(&self) -> Option<String> {
        self.origin.reservation(self.facts.at)
    }
}

fn origin(kind: EventKind, details: &Value) -> SealOrigin {
    let named = details[ORIGIN].as_str().and_then(|text| text.parse().ok());
    match (named, kind) {
        (Some(origin), _) => origin,
        (None, EventKind::Registered) if details.get("imported").is_none() => {
            SealOrigin::Registration
        }
        (None, _) => SealOrigin::Elsewhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{ActContext, Channel, GENESIS_HASH};
    use crate::values::{Actor, ModelName, VersionNumber};

    /// Details of the event `registered`, version 1: without a seal. Such events stay in stores forever.
    const REGISTERED_1: &str = r#"{"honesty":"clean","model_file":"models/1H/model.zip","model_sha256":"ab","model_type":"base","timeframe":"1H","trained_timesteps":2048,"v":1}"#;
    /// Version 2, as stored. Such events stay in stores forever and must stay readable.
    const REGISTERED_2: &str = r#"{"honesty":"clean","model_file":"models/1H/model.zip","model_sha256":"ab","model_type":"base","sealed":{"at":"2025-06-10T14:17:05Z","files":{"MLmodel":"cd","model.zip":"ab"},"honesty":"clean","metrics":{"portfolio/sharpe_ratio":[-3.3333333333333335,2048]},"model_type":"base","params":{"data.symbol":"EURUSD","env.cost_bps":"1"},"parent":null,"source":"/mlruns/1/r/artifacts/models/1H","storage_location":"/mlruns/1/r/artifacts/models/1H","timeframe":"1H","total_timesteps":2048,"v":1},"timeframe":"1H","trained_timesteps":2048,"v":2}"#;
    const ADOPTED_1: &str = r#"{"v":1}"#;
    const ADOPTED_2: &str = r#"{"origin":"older_herdbook","sealed":{"at":"2025-06-10T14:17:05Z","files":{},"files_problem":"they are on another machine","honesty":"unknown","metrics":{},"model_type":null,"params":{},"parent":null,"source":null,"storage_location":null,"timeframe":null,"total_timesteps":null,"v":1},"v":2}"#;

    fn draft(kind: EventKind, details: &str) -> EventDraft {
        EventDraft {
            name: Some(ModelName::parse("1H_trading_model").unwrap()),
            version: Some(VersionNumber::FIRST),
            details: details.to_owned(),
            ..EventDraft::new(kind, &Value::Null)
        }
    }

    fn event(draft: EventDraft) -> Event {
        let actor = Actor::parse("ada").unwrap();
        let context = ActContext { act_id: "a".to_owned(), actor, channel: Channel::Cli };
        Event::seal(7, Timestamp::EXAMPLE, &context, draft, GENESIS_HASH)
    }

    fn facts() -> Sealed {
        Sealed {
            source: Some("/mlruns/1/r/artifacts/models/1H".to_owned()),
            storage_location: Some("/mlruns/1/r/artifacts/models/1H".to_owned()),
            timeframe: Some(Timeframe::Hour1),
            model_type: Some(ModelType::Base),
            honesty: Honesty::Clean,
            total_timesteps: Some(2048),
            params: [("data.symbol", "EURUSD"), ("env.cost_bps", "1")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            metrics: [(
                "portfolio/sharpe_ratio".to_owned(),
                SealedMetric { value: -10.0 / 3.0, step: 2048 },
            )]
            .into(),
            files: [("MLmodel", "cd"), ("model.zip", "ab")]
                .map(|(path, hash)| (path.to_owned(), hash.to_owned()))
                .into(),
            ..Sealed::empty(Timestamp::EXAMPLE)
        }
    }

    #[test]
    fn frozen_samples_are_read_and_written_back() {
        let registered = draft(EventKind::Registered, REGISTERED_1);
        assert_eq!(facts().in_registration(registered).details, REGISTERED_2);
        let seal = Seal::of(&event(draft(EventKind::Registered, REGISTERED_2))).unwrap().unwrap();
        assert_eq!((seal.event_id, seal.origin), (7, SealOrigin::Registration));
        assert_eq!(seal.facts, facts());
        assert_eq!(seal.reservation(), None);

        let unknown = Sealed {
            files_problem: Some("they are on another machine".to_owned()),
            ..Sealed::empty(Timestamp::EXAMPLE)
        };
        let adopted = draft(EventKind::Adopted, ADOPTED_1);
        assert_eq!(unknown.in_adoption(adopted, SealOrigin::OlderHerdbook).details, ADOPTED_2);
        let seal = Seal::of(&event(draft(EventKind::Adopted, ADOPTED_2))).unwrap().unwrap();
        assert_eq!(seal.facts, unknown);
        assert_eq!(
            seal.reservation().unwrap(),
            "sealed on 2025-06-10T14:17:05Z, after registration by an older herdbook"
        );
    }

    #[test]
    fn events_of_version_1_have_no_seal() {
        for (kind, details) in
            [(EventKind::Registered, REGISTERED_1), (EventKind::Adopted, ADOPTED_1)]
        {
            assert_eq!(Seal::of(&event(draft(kind, details))), Ok(None), "{kind}");
        }
        assert_eq!(Seal::of(&event(draft(EventKind::Evaluated, "not JSON"))), Ok(None));
    }

    #[test]
    fn seal_of_an_unknown_form_is_an_error_and_not_no_seal() {
        for details in ["not JSON", r#"{"v":3,"sealed":{"v":2}}"#, r#"{"v":2,"sealed":{"v":1}}"#] {
            let found = Seal::of(&event(draft(EventKind::Registered, details)));
            assert_eq!(found.unwrap_err().event_id, 7, "{details}");
        }
    }

    #[test]
    fn first_seal_of_a_version_counts() {
        let forged = REGISTERED_2.replace("-3.3333333333333335", "9.9");
        let events = [REGISTERED_1, REGISTERED_2, &forged]
            .map(|details| event(draft(EventKind::Registered, details)));
        let seal = Seal::among(&events).unwrap().unwrap();
        assert_eq!(seal.facts.metric("portfolio/sharpe_ratio"), Some(-10.0 / 3.0));
        assert_eq!(Seal::among(&events[..1]), Ok(None));
    }

    #[test]
    fn imported_version_was_sealed_after_its_registration() {
        let imported = REGISTERED_2.replace(r#""v":2}"#, r#""imported":{},"v":2}"#);
        let seal = Seal::of(&event(draft(EventKind::Registered, &imported))).unwrap().unwrap();
        assert_eq!(seal.origin, SealOrigin::Elsewhere);
    }
}
