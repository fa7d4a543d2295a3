//! The facts about a model of stable-baselines3 that its zip states, whatever its algorithm.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::algorithm::algorithm;
use super::archive::Archive;
use super::attributes::{Attributes, Setting};
use crate::error::PpoError;

/// The algorithm whose models this crate reads.
pub(super) const PPO: &str = "PPO";

/// What the zip of a model of stable-baselines3 or sb3-contrib states about it. Nothing is assumed: a fact that is not in
/// the file is missing.
///
/// ```
/// use herdbook_ppo::ModelFacts;
///
/// let error = ModelFacts::read(b"no zip", "other.zip").unwrap_err();
/// assert!(error.to_string().starts_with("`other.zip` is not a readable model file"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFacts {
    /// The algorithm, such as `PPO` or `A2C`; `None` if it is not of stable-baselines3 or sb3-contrib.
    pub algorithm: Option<&'static str>,
    /// Module and name of the policy's class.
    pub policy: String,
    /// The release of stable-baselines3 that wrote it.
    pub version: Option<String>,
    /// Timesteps trained so far.
    pub num_timesteps: u64,
    /// Hyperparameters that are plain numbers, flags or texts, under stable-baselines3's names. The value of one that
    /// changes during the training is [`SCHEDULE`](Self::SCHEDULE).
    pub settings: BTreeMap<String, String>,
}

/// Attributes that describe the progress of the training or its surroundings, not the algorithm.
const NO_SETTINGS: [&str; 5] =
    ["num_timesteps", "start_time", "tensorboard_log", "verbose", "sde_sample_freq"];
/// Largest number of characters of a text setting.
const MAX_TEXT: usize = 200;

/// Hyperparameters that may be schedules.
const SCHEDULES: [&str; 3] = ["learning_rate", "clip_range", "clip_range_vf"];

impl ModelFacts {
    /// The value of a setting that is a function of the progress of the training.
    pub const SCHEDULE: &str = "schedule";

    /// Reads the facts of a zip. Nothing in it is executed. `source` is the name of the file in errors.
    ///
    /// # Errors
    /// [`PpoError::Archive`] if the bytes are not a zip archive of stable-baselines3, [`PpoError::Member`] if its member `data`
    /// is invalid.
    pub fn read(bytes: &[u8], source: &str) -> Result<Self, PpoError> {
        let mut archive = Archive::open(bytes, source)?;
        let facts = Self::of(&Attributes::parse(&archive.read("data")?, source)?)?;
        let member = "_stable_baselines3_version";
        let has_version = archive.names().any(|name| name == member);
        let version = if has_version { Some(archive.read(member)?) } else { None };
        let version = version.and_then(|bytes| String::from_utf8(bytes).ok());
        let version = version.map(|text| text.trim().chars().take(MAX_TEXT).collect());
        Ok(Self { version, ..facts })
    }

    pub(super) fn of(attributes: &Attributes<'_>) -> Result<Self, PpoError> {
        let policy = attributes.policy_class()?;
        let settings = attributes.all().filter(|(key, _)| is_setting(key));
        let schedules = SCHEDULES
            .into_iter()
            .filter(|key| matches!(attributes.setting(key), Ok(Setting::Schedule)));
        let schedules = schedules.map(|key| (key.to_owned(), Self::SCHEDULE.to_owned()));
        Ok(Self {
            algorithm: algorithm(attributes, &policy),
            policy: policy.to_string(),
            version: None,
            num_timesteps: attributes.count("num_timesteps", 0)?,
            settings: settings
                .filter_map(|(key, value)| Some((key.to_owned(), plain_text(value)?)))
                .chain(schedules)
                .collect(),
        })
    }

    /// The kind of the model as a noun phrase, such as `a model of A2C`.
    pub fn kind(&self) -> String {
        match self.algorithm {
            Some(algorithm) => format!("a model of {algorithm}"),
            None => {
                format!("a model of an unknown algorithm with the policy class `{}`", self.policy)
            }
        }
    }
}

fn is_setting(key: &str) -> bool {
    !key.starts_with('_') && !NO_SETTINGS.contains(&key)
}

fn plain_text(value: &Json) -> Option<String> {
    match value {
        Json::Bool(flag) => Some(flag.to_string()),
        Json::Number(number) => Some(number.to_string()),
        Json::String(text) if text.chars().count() <= MAX_TEXT => Some(text.clone()),
        _ => None,
    }
}
