//! The environment's rules, as every model file carries them.

use herdbook_domain::{Symbol, Timeframe};
use herdbook_market::{FEATURES_VERSION, Position};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::environment::observation::OBS_LEN;

/// Key under which the environment's rules stand in a model file's own section.
pub(crate) const ENVIRONMENT: &str = "environment";
/// Bars of a training episode (DESIGN §5).
pub const EPISODE_BARS: usize = 512;

/// The environment's rules, kept with every model under the key `herdbook` of its file's `data`, so that
/// whatever runs the model later can build the same environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnvSpec {
    /// Version of this description.
    pub version: u32,
    /// Version of the feature set.
    pub features_version: u32,
    /// Length of an observation.
    pub obs_len: usize,
    /// Meaning of the actions, by number.
    pub actions: [String; 3],
    /// Meaning of the reward.
    pub reward: String,
    /// Basis points of traded notional charged per side.
    pub cost_bps: f64,
    /// Bars of a training episode.
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

    /// What keeps a model made under other rules from being used under these; costs and episode length may
    /// differ.
    pub fn obstacle(&self, ours: &Self) -> Option<String> {
        let differs = |what: &str, theirs: &dyn std::fmt::Debug, ours: &dyn std::fmt::Debug| {
            Some(format!("{what} {theirs:?} where it has {ours:?}"))
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

/// What a model file says under its key `herdbook`.
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
