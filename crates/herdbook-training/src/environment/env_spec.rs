//! The rules of the environment, stored in every model file.

use herdbook_domain::{Symbol, Timeframe};
use herdbook_market::{FEATURES_VERSION, Position};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::environment::observation::OBS_LEN;

/// Key of the rules in the section `herdbook` of a model file.
pub(crate) const ENVIRONMENT: &str = "environment";
/// Length of a training episode in bars.
pub const EPISODE_BARS: usize = 512;

/// The rules of the environment. They are stored with every model, under the key `herdbook` of its file's `data`, so
/// that the same environment can be built wherever the model is run later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnvSpec {
    /// Version of this description.
    pub version: u32,
    /// Version of the feature set.
    pub features_version: u32,
    /// Length of an observation.
    pub obs_len: usize,
    /// Name of the position that each action takes, by action number.
    pub actions: [String; 3],
    /// Formula of the reward.
    pub reward: String,
    /// Basis points of traded notional charged per side.
    pub cost_bps: f64,
    /// Length of a training episode in bars.
    pub episode_bars: usize,
}

impl EnvSpec {
    /// The rules of this version of herdbook.
    pub fn new(cost_bps: f64, episode_bars: usize) -> Self {
        Self {
            version: 1,
            features_version: FEATURES_VERSION,
            obs_len: OBS_LEN,
            actions: Position::ALL.map(|position| position.as_str().to_owned()),
            reward: "100*ln(equity/previous equity), after costs".to_owned(),
            cost_bps,
            episode_bars,
        }
    }

    /// Describes the first difference that prevents a model trained under `self` from being used under `ours`; `None`
    /// if there is none. Costs and episode length may differ.
    pub fn obstacle(&self, ours: &Self) -> Option<String> {
        let differs = |what: &str, theirs: &dyn std::fmt::Debug, ours: &dyn std::fmt::Debug| {
            Some(format!("{what} {theirs:?}, expected {ours:?}"))
        };
        if self.version != ours.version {
            return differs("environment version", &self.version, &ours.version);
        }
        if self.features_version != ours.features_version {
            return differs("features version", &self.features_version, &ours.features_version);
        }
        if self.obs_len != ours.obs_len {
            return differs("observation length", &self.obs_len, &ours.obs_len);
        }
        if self.actions != ours.actions {
            return differs("actions", &self.actions, &ours.actions);
        }
        None
    }
}

/// The section that a model file has under its key `herdbook`. It does not say when, where or by whom the model was
/// made, so that equal trainings give equal files.
pub(crate) fn description(
    env: &EnvSpec,
    timeframe: Timeframe,
    symbol: &Symbol,
) -> Map<String, Value> {
    let environment = serde_json::to_value(env).expect("plain numbers and texts are JSON");
    let entries = [
        ("version", 1.into()),
        ("timeframe", timeframe.as_str().into()),
        ("symbol", symbol.as_str().into()),
        (ENVIRONMENT, environment),
    ];
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
