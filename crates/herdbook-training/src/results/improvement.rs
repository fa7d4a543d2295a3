//! What a training records of itself: params at its start, metrics on its way, improvements at its end.

use std::collections::BTreeMap;

use herdbook_domain::{Improvement, improvements, window_params};
use herdbook_ppo::{Activation, IterationStats, PpoConfig};

use crate::environment::market_data::MarketData;
use crate::environment::trading_env::{EnvSpec, OBS_LEN};
use crate::request::train_request::TrainRequest;

/// How a child's improvement over its parent was computed (spec §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ImprovementBasis {
    /// The parent's logged values come from the same windows, bars and costs.
    SameWindows,
    /// The parent was run again on the child's windows and costs.
    Reevaluated,
    /// What was logged of the parent, which comes from an environment that is not known here.
    Logged,
}

impl ImprovementBasis {
    /// The tag's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SameWindows => "same_windows",
            Self::Reevaluated => "reevaluated",
            Self::Logged => "logged",
        }
    }

    /// For people.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::SameWindows => "same windows for both",
            Self::Reevaluated => "the parent run again on the child's windows and costs",
            Self::Logged => "as logged of the parent, whose environment is not known here",
        }
    }

    /// Whether a parent's logged values can stand beside the child's.
    pub(crate) fn of(parent: &BTreeMap<String, String>, child: &BTreeMap<String, String>) -> Self {
        let same = window_params::of_result()
            .all(|key| parent.contains_key(key) && parent.get(key) == child.get(key));
        if same { Self::SameWindows } else { Self::Reevaluated }
    }
}

/// What a run records of its bars and its environment.
pub(crate) fn market_params(market: &MarketData, env: &EnvSpec) -> BTreeMap<String, String> {
    let windows = market.windows();
    let mut params: BTreeMap<String, String> =
        windows.to_params().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let mut add = |key: &str, value: String| {
        params.insert(key.to_owned(), value);
    };
    add(window_params::BARS_SHA256, market.tape.bars.sha256());
    add("data.source", market.tape.source_name.clone());
    add("data.source_sha256", market.tape.source_sha256.clone());
    add("data.n_bars", market.tape.bars.len().to_string());
    if let Some(bars_per_year) = market.tape.bars_per_year {
        add("data.bars_per_year", bars_per_year.to_string());
    }
    add(window_params::COST_BPS, env.cost_bps.to_string());
    add("env.episode_bars", env.episode_bars.to_string());
    add("env.features_version", env.features_version.to_string());
    add("env.obs_len", OBS_LEN.to_string());
    params
}

/// The params of a run.
pub(crate) fn params(
    request: &TrainRequest,
    market: &MarketData,
    config: &PpoConfig,
    env: &EnvSpec,
) -> BTreeMap<String, String> {
    let mut params = market_params(market, env);
    let mut add = |key: &str, value: String| {
        params.insert(key.to_owned(), value);
    };
    add("timesteps", request.timesteps.to_string());
    add("seed", request.seed.to_string());
    add("algorithm", "PPO".to_owned());
    for (key, value) in hyperparameters(config) {
        add(key, value);
    }
    let schedules = [
        ("learning_rate_final", request.schedules.learning_rate),
        ("clip_range_final", request.schedules.clip_range),
    ];
    for (key, last) in schedules {
        if let Some(last) = last {
            add(key, last.to_string());
        }
    }
    params
}

/// The hyperparameters as params.
pub(crate) fn hyperparameters(config: &PpoConfig) -> Vec<(&'static str, String)> {
    let optional = |value: Option<f64>| value.map_or("none".to_owned(), |value| value.to_string());
    let activation = match config.activation {
        Activation::Tanh => "tanh",
        Activation::Relu => "relu",
    };
    vec![
        ("n_envs", config.n_envs.to_string()),
        ("n_steps", config.n_steps.to_string()),
        ("batch_size", config.batch_size.to_string()),
        ("n_epochs", config.n_epochs.to_string()),
        ("learning_rate", config.learning_rate.to_string()),
        ("gamma", config.gamma.to_string()),
        ("gae_lambda", config.gae_lambda.to_string()),
        ("clip_range", config.clip_range.to_string()),
        ("clip_range_vf", optional(config.clip_range_vf)),
        ("ent_coef", config.ent_coef.to_string()),
        ("vf_coef", config.vf_coef.to_string()),
        ("max_grad_norm", config.max_grad_norm.to_string()),
        ("normalize_advantage", config.normalize_advantage.to_string()),
        ("target_kl", optional(config.target_kl)),
        ("net_arch", format!("pi={:?} vf={:?}", config.net_arch.pi, config.net_arch.vf)),
        ("activation", activation.to_owned()),
    ]
}

/// The metrics of one iteration, by the names of spec §7.
pub(crate) fn training_metrics(
    stats: &IterationStats,
    steps_per_second: f64,
) -> Vec<(&'static str, f64)> {
    let mut metrics = vec![
        ("training/loss", stats.loss),
        ("training/policy_loss", stats.policy_loss),
        ("training/value_loss", stats.value_loss),
        ("training/entropy", stats.entropy),
        ("training/approx_kl", stats.approx_kl),
        ("training/clip_fraction", stats.clip_fraction),
        ("training/learning_rate", stats.learning_rate),
        ("training/mean_step_reward", stats.mean_step_reward),
        ("training/steps_per_second", steps_per_second),
    ];
    let optional = [
        ("training/explained_variance", stats.explained_variance),
        ("training/mean_episode_reward", stats.mean_episode_reward()),
        ("training/mean_episode_length", stats.mean_episode_length()),
    ];
    metrics.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
    metrics
}

/// A child's improvements, and how they were computed.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ImprovementReport {
    /// How.
    pub basis: ImprovementBasis,
    /// By metric.
    pub metrics: BTreeMap<String, Improvement>,
}

impl ImprovementReport {
    pub(crate) fn new(
        basis: ImprovementBasis,
        parent: &BTreeMap<String, f64>,
        child: &BTreeMap<String, f64>,
    ) -> Self {
        Self { basis, metrics: improvements(parent, child) }
    }

    /// `improvement_<metric>` in percent, and, where the parent was run again, its values as `parent/<metric>`.
    pub(crate) fn to_metrics(&self) -> Vec<(String, f64)> {
        let mut metrics = Vec::new();
        for (name, improvement) in &self.metrics {
            metrics.extend(
                improvement.percent.map(|percent| (format!("improvement_{name}"), percent)),
            );
            if self.basis == ImprovementBasis::Reevaluated {
                metrics.push((format!("parent/{name}"), improvement.parent));
            }
        }
        metrics
    }
}
